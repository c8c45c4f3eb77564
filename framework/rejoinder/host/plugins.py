"""The plugins of one process: registered whole or not at all, and what they bring at start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pluggy

from rejoinder import hooks
from rejoinder.errors import (
    PayloadError,
    PluginError,
    PluginLoadError,
    PluginOrderError,
    PluginSpecError,
    did_you_mean,
)
from rejoinder.host.discovery import FoundPlugin
from rejoinder.host.implementations import Implementation, implementations_of, in_order
from rejoinder.payloads import Domain, Task
from rejoinder.wire import check


@dataclass(frozen=True, slots=True)
class Plugin:
    """A registered plugin.

    Attributes:
        registered: what its `register_*` hooks gave, by hook name.
    """

    name: str
    distribution: str
    instance: object
    implementations: tuple[Implementation, ...]
    registered: Mapping[str, tuple[Any, ...]]


class _Manager(pluggy.PluginManager):
    """A manager that looks at what is named like a hook only: reading other attributes may run a plugin's code."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        return super().parse_hookimpl_opts(plugin, name) if name in hooks.SPECS else None


class Plugins:
    """Registers plugins and keeps their implementations in declared order, on a pluggy plugin manager."""

    def __init__(self) -> None:
        self._manager = _Manager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._plugins: dict[str, Plugin] = {}
        self._ordered: dict[str, list[Implementation]] = {name: [] for name in hooks.SPECS}
        self._enabled: dict[tuple[str, frozenset[str]], tuple[Implementation, ...]] = {}

    def __iter__(self) -> Any:
        return iter(self._plugins.values())

    def __getitem__(self, name: str) -> Plugin:
        return self._plugins[name]

    @property
    def names(self) -> frozenset[str]:
        """Names of the registered plugins."""
        return frozenset(self._plugins)

    def register(self, instance: object, name: str, distribution: str = "this process") -> Plugin:
        """Register a plugin, all of it or nothing.

        Raises:
            PluginSpecError: the name is taken, an implementation does not fit, or a `register_*` hook fails or gives a value
                that is wrong or already registered by another plugin.
            PluginOrderError: its declared order contradicts another's.
        """
        if name in self._plugins:
            raise PluginSpecError(
                f"plugin {name!r} from {distribution}: the name is taken by {self._plugins[name].distribution}; "
                "uninstall one, or switch one off in `plugins.disabled`",
                plugin=name,
                distribution=distribution,
            )
        found = implementations_of(instance, name, distribution)
        registered = {one.spec.name: _register(one, distribution) for one in found if one.spec.failure == "strict"}
        self._refuse_repeated(name, distribution, registered)
        ordered = dict(self._ordered)
        for one in found:
            try:
                ordered[one.spec.name] = in_order([*ordered[one.spec.name], one])
            except PluginOrderError as error:
                text = f"plugin {name!r} from {distribution}: {error}"
                raise PluginOrderError(text, plugin=name, distribution=distribution) from error
        try:
            self._manager.register(instance, name)
        except Exception as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            raise PluginSpecError(
                f"plugin {name!r} from {distribution}: {error}", plugin=name, distribution=distribution
            ) from error
        self._ordered = ordered
        self._enabled.clear()
        plugin = Plugin(name, distribution, instance, tuple(found), registered)
        self._plugins[name] = plugin
        return plugin

    def unregister(self, name: str) -> None:
        """Take a plugin out.

        Raises:
            KeyError: there is none of this name.
        """
        del self._plugins[name]
        self._manager.unregister(name=name)
        self._ordered = {
            hook: [one for one in implementations if one.plugin != name]
            for hook, implementations in self._ordered.items()
        }
        self._enabled.clear()

    def in_order(self, hook: str, enabled: frozenset[str] | None = None) -> tuple[Implementation, ...]:
        """Return the implementations of a hook in declared order, of the enabled plugins only (None: of all)."""
        if enabled is None:
            return tuple(self._ordered[hook])
        key = (hook, enabled)
        found = self._enabled.get(key)
        if found is None:
            found = tuple(one for one in self._ordered[hook] if one.plugin in enabled)
            self._enabled[key] = found
        return found

    def registered(self, hook: str) -> list[tuple[str, Any]]:
        """Return plugin and value for all that `register_*` hooks gave, in declared order."""
        return [
            (one.plugin, value) for one in self._ordered[hook] for value in self._plugins[one.plugin].registered[hook]
        ]

    def _refuse_repeated(self, name: str, distribution: str, registered: Mapping[str, tuple[Any, ...]]) -> None:
        for hook, kind in (("register_tasks", Task), ("register_domain", Domain)):
            taken = {value.name: plugin for plugin, value in self.registered(hook)}
            for value in registered.get(hook, ()):
                if value.name in taken:
                    raise PluginSpecError(
                        f"plugin {name!r} from {distribution}: {hook}: the {kind.__name__.lower()} {value.name!r} is "
                        f"already registered by plugin {taken[value.name]!r}; give it another name",
                        plugin=name,
                        distribution=distribution,
                    )
                taken[value.name] = name


def _register(one: Implementation, distribution: str) -> tuple[Any, ...]:
    where = f"plugin {one.plugin!r} from {distribution}: {one.spec.name}"
    try:
        values = one.function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginSpecError(
            f"{where}: {type(error).__name__}: {error}", plugin=one.plugin, distribution=distribution
        ) from error
    gives = one.spec.gives or object
    if not isinstance(values, (list, tuple)):
        raise PluginSpecError(
            f"{where}: gave {type(values).__name__}, expected a list or tuple of {gives.__name__}",
            plugin=one.plugin,
            distribution=distribution,
        )
    try:
        return tuple(check(gives, value) for value in values)
    except PayloadError as error:
        raise PluginSpecError(f"{where}: {error}", plugin=one.plugin, distribution=distribution) from error


def load_plugins(found: Iterable[FoundPlugin], *, disabled: Sequence[str] = ()) -> tuple[Plugins, list[PluginError]]:
    """Import and register plugins, in the order of their names.

    Returns:
        The registered plugins, and why each of the others could not be registered.
    Raises:
        PluginLoadError: `disabled` names a plugin that is not there.
    """
    there = sorted(found, key=lambda one: (one.name, one.distribution))
    names = {one.name for one in there}
    for name in disabled:
        if name not in names:
            raise PluginLoadError(
                f"`plugins.disabled` names {name!r}, which is not installed.{did_you_mean(name, names)}", plugin=name
            )
    plugins = Plugins()
    failures: list[PluginError] = []
    for one in there:
        if one.name in disabled:
            continue
        try:
            plugins.register(one.load(), one.name, one.distribution)
        except PluginError as error:
            failures.append(error)
    return plugins, failures

"""A tenant's settings: plugin defaults < `[tenant_defaults]` < `tenants/<id>.toml` < the tenant's row. Never the environment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from rejoinder.errors import SettingsError, did_you_mean
from rejoinder.layers import Layer, Layered, Setting, check, read_toml, rows
from rejoinder.payloads import Domain

__all__ = ["TenantSettings", "TenantSettingsResolver"]

ROW = "stored setting"


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """One tenant's settings, checked.

    Attributes:
        plugins: the plugins that the tenant has and that can be used.
        settings: an instance of its own settings model for each plugin that has one and can be used.
        skipped: why the others cannot be used: a required setting is missing, or the plugin is not installed any more.
    """

    tenant: str
    plugins: frozenset[str]
    settings: Mapping[str, BaseModel] = field(repr=False)
    skipped: Mapping[str, str]
    layered: Mapping[str, Layered] = field(repr=False)

    def rows(self) -> tuple[Setting, ...]:
        """Return every setting with its value (secrets masked) and where that came from."""
        found: list[Setting] = []
        for plugin, model in sorted(self.settings.items()):
            found.extend(rows(model, self.layered[plugin], (plugin,)))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Cached:
    stamp: tuple[int, ...]
    stored: Mapping[str, Any]
    enabled: tuple[str, ...] | None
    resolved: TenantSettings


class TenantSettingsResolver:
    """Turns layers into typed settings.

    Args:
        models: the settings model of each plugin that has one.
        plugin_names: all plugins that are loaded.
        defaults: the table `[tenant_defaults]`.
        folder: where the files `<tenant>.toml` are; it need not exist.
        sections: tables of the host's own, beside those of plugins, by name.
        disabled: plugins that the deployment leaves out; what is said of them is passed over.
        unseal: opens what the row keeps encrypted, given the row's settings and the tenant.
        domains: the domains that are installed; where a change is checked, validators of settings models find them as
            `ValidationInfo.context["domains"]`, so that a name of something that no domain has can be refused.
    Raises:
        SettingsError: `defaults` are wrong, a model reads the environment by itself, or a plugin has the name of a table of the host.
    """

    def __init__(
        self,
        models: Mapping[str, type[BaseModel]],
        plugin_names: Collection[str],
        *,
        defaults: Layer,
        folder: Path,
        sections: Mapping[str, type[BaseModel]] | None = None,
        disabled: Collection[str] = (),
        unseal: Callable[[Any, str], Any] = lambda tree, _: tree,
        domains: Sequence[Domain] = (),
    ) -> None:
        for plugin, model in models.items():
            if issubclass(model, BaseSettings):
                raise SettingsError(
                    f"plugin {plugin!r}: its settings model {model.__name__} reads the environment, which never overrides a "
                    "tenant; derive it from pydantic.BaseModel"
                )
        self._sections = dict(sections or {})
        for plugin in sorted(self._sections.keys() & set(plugin_names)):
            raise SettingsError(
                f"plugin {plugin!r}: the table [{plugin}] of a tenant's settings is the host's; rename it"
            )
        self.models = {**models, **self._sections}
        self.plugin_names = frozenset(plugin_names)
        self._defaults = defaults
        self._folder = folder
        self._disabled = frozenset(disabled)
        self._unseal = unseal
        self._domains = tuple(domains)
        self._cache: dict[str, _Cached] = {}
        wrong = [*self._wrong_tables(defaults, "tenant_defaults")]
        for plugin, model in self.models.items():
            wrong.extend(check(model, _merge(plugin, defaults), prefix=(plugin,))[1])
        if wrong:
            raise SettingsError("\n".join(wrong))

    def file(self, tenant: str) -> Path:
        """Return where a tenant's file would be."""
        return self._folder / f"{tenant}.toml"

    def files(self) -> tuple[Path, ...]:
        """Return the tenants' files that are there."""
        return tuple(sorted(self._folder.glob("*.toml"))) if self._folder.is_dir() else ()

    def resolve(self, tenant: str, stored: Mapping[str, Any], enabled: Sequence[str] | None = None) -> TenantSettings:
        """Return a tenant's settings; from the cache as long as neither its file nor its row changed.

        Args:
            stored: the settings in the tenant's row, nested by plugin.
            enabled: the plugins in the tenant's row; None: all that are loaded.
        Raises:
            SettingsError: a value or key is wrong; the text names every place.
        """
        stamp = self._stamp(tenant)
        names = None if enabled is None else tuple(enabled)
        cached = self._cache.get(tenant)
        if cached and cached.stamp == stamp and cached.stored == stored and cached.enabled == names:
            return cached.resolved
        resolved, wrong = self._resolve(tenant, stored, names)
        if wrong:
            raise SettingsError("\n".join(wrong))
        self._cache[tenant] = _Cached(stamp, copy.deepcopy(dict(stored)), names, resolved)
        return resolved

    def problems(
        self, tenant: str, stored: Mapping[str, Any], enabled: Sequence[str] | None = None
    ) -> tuple[list[str], Mapping[str, str]]:
        """Return what is wrong with a tenant's settings, and which plugins it cannot use and why; nothing is cached.

        This looks closer than `resolve`: a name that no installed domain knows is no reason to leave a tenant without its settings.
        """
        context = {"domains": self._domains}
        try:
            resolved, wrong = self._resolve(tenant, stored, None if enabled is None else tuple(enabled), context)
        except SettingsError as error:
            return str(error).splitlines(), {}
        return wrong, resolved.skipped

    def refuse_unknown_table(self, name: str) -> None:
        """Do nothing when a table of a tenant's settings is a loaded plugin's, or the host's. Raises as `refuse_unknown`."""
        if name not in self._sections:
            self.refuse_unknown(name)

    def refuse_unknown(self, plugin: str) -> None:
        """Do nothing when a plugin is loaded.

        Raises:
            SettingsError: it is not; the text has the closest one and all names.
        """
        if plugin not in self.plugin_names:
            raise SettingsError(self._no_such(plugin))

    # --- within ----------------------------------------------------------------------------------------------------

    def _resolve(
        self,
        tenant: str,
        stored: Mapping[str, Any],
        enabled: tuple[str, ...] | None,
        context: Mapping[str, Any] | None = None,
    ) -> tuple[TenantSettings, list[str]]:
        in_file = self._read(tenant)
        wrong = [*self._wrong_tables(in_file, "")] if in_file else []
        row = Layer("tenant", f"{ROW} of {tenant!r}", self._unseal(stored, tenant))
        known = self.plugin_names | self._sections.keys()
        skipped = {name: "it is not installed" for name in (*(enabled or ()), *stored) if name not in known}
        plugins = set(self.plugin_names if enabled is None else self.plugin_names & set(enabled))
        settings: dict[str, BaseModel] = {}
        layered: dict[str, Layered] = {}
        for plugin, model in self.models.items():
            merged = layered[plugin] = _merge(plugin, self._defaults, in_file, row)
            made, errors, missing = check(model, merged, prefix=(plugin,), context=context)
            wrong.extend(errors)
            if made is not None:
                settings[plugin] = made
            elif missing and plugin in plugins:
                plugins.discard(plugin)
                key = missing[0].split(" ", 1)[0]
                skipped[plugin] = f"{'; '.join(missing)}; set it: rejoinder tenant set {tenant} {key} VALUE"
        return TenantSettings(tenant, frozenset(plugins), settings, skipped, layered), wrong

    def _read(self, tenant: str) -> Layer | None:
        file = self.file(tenant)
        return read_toml(file, "tenant_file") if file.is_file() else None

    def _stamp(self, tenant: str) -> tuple[int, ...]:
        try:
            found = self.file(tenant).stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _wrong_tables(self, layer: Layer, prefix: str) -> Iterator[str]:
        """Yield what is wrong with the outermost keys, which are plugins."""
        for plugin, values in layer.values.items():
            place = layer.origin((plugin,)).place
            key = f"{prefix}.{plugin}".removeprefix(".")
            if plugin in self._disabled:
                continue
            if plugin not in self.plugin_names and plugin not in self._sections:
                yield f"{place}: {key}: {self._no_such(plugin)}"
            elif plugin not in self.models:
                yield f"{place}: {key}: the plugin {plugin!r} has no settings"
            elif not isinstance(values, Mapping):
                yield f"{place}: {key}: expected a table `[{key}]`"

    def _no_such(self, plugin: str) -> str:
        listed = ", ".join(sorted(self.plugin_names)) or "none"
        return f"there is no plugin {plugin!r}.{did_you_mean(plugin, [*self.plugin_names, *self._sections])} Plugins installed: {listed}"


def _merge(plugin: str, *layers: Layer | None) -> Layered:
    tables = [layer.table(plugin) for layer in layers if layer is not None]
    return Layered([table for table in tables if isinstance(table.values, Mapping)])

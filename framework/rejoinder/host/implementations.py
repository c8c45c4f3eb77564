"""Find the hook implementations of a plugin, refuse what does not fit, and put them in their declared order."""

from __future__ import annotations

import functools
import heapq
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from rejoinder.errors import PluginOrderError, PluginSpecError, did_you_mean
from rejoinder.hooks import PROJECT, SPEC_VERSION, SPECS, HookSpec, Order

Kind = Literal["async", "def", "stream"]


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's implementation of one hook.

    Attributes:
        kind: "async" is awaited, "def" runs in a thread, "stream" is an async generator.
        arguments: the names that it asks for, a subset of the specification's.
    """

    plugin: str
    spec: HookSpec
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    kind: Kind
    order: Order


def implementations_of(plugin: object, name: str, distribution: str | None = None) -> list[Implementation]:
    """Return the implementations of a plugin, checked against the specifications.

    Args:
        plugin: an instance or a module; not a class.
        name: the plugin's name.
        distribution: what it came from, for the error texts.
    Raises:
        PluginSpecError: a class, an incompatible version of the specifications, an unknown hook, a wrong argument, a
            wrapper, a hook without `@hookimpl`, or no hook at all.
    """
    where = f"plugin {name!r}" + (f" from {distribution}" if distribution else "")

    def refuse(text: str) -> PluginSpecError:
        return PluginSpecError(f"{where}: {text}", plugin=name, distribution=distribution)

    if inspect.isclass(plugin):
        raise refuse(f"{plugin.__name__} is a class; give an instance: forgot the `()`?")
    _check_version(plugin, refuse)
    found = []
    for attribute in dir(plugin):
        if attribute.startswith("__"):
            continue
        function = inspect.getattr_static(plugin, attribute)
        if isinstance(function, (property, functools.cached_property)):
            continue
        function = getattr(plugin, attribute, None)
        options = getattr(function, f"{PROJECT}_impl", None)
        if not isinstance(options, dict) or not callable(function):
            if attribute in SPECS and inspect.isroutine(function):
                raise refuse(f"{attribute} is named like a hook but is not marked: put `@hookimpl()` above it")
            continue
        if options.get("wrapper") or options.get("hookwrapper"):
            raise refuse(f"{attribute} is a wrapper; wrappers are not supported, implement the hook itself")
        if attribute not in SPECS:
            raise refuse(f"there is no hook {attribute!r}.{did_you_mean(attribute, SPECS)} See docs/hooks.md")
        found.append(_implementation(name, SPECS[attribute], function, refuse))
    if not found:
        raise refuse("it implements no hook: mark its functions with `@hookimpl()`")
    return found


def _check_version(plugin: object, refuse: Callable[[str], PluginSpecError]) -> None:
    wanted = getattr(plugin, "rejoinder_spec", None)
    if wanted is None:
        return
    try:
        fits = SpecifierSet(wanted).contains(SPEC_VERSION)
    except (InvalidSpecifier, TypeError, AttributeError) as error:
        raise refuse(f"rejoinder_spec is {wanted!r}, not a version range such as '>=1.0,<2'") from error
    if not fits:
        raise refuse(
            f"it needs hook specifications {wanted}, this host has {SPEC_VERSION}: install a version that fits"
        )


def _implementation(
    plugin: str, spec: HookSpec, function: Callable[..., Any], refuse: Callable[[str], PluginSpecError]
) -> Implementation:
    arguments = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise refuse(f"{spec.name} takes *{parameter.name}; name the arguments it needs: {_names(spec.arguments)}")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise refuse(f"{spec.name}: argument {parameter.name!r} is positional-only; hooks are called by name")
        if parameter.name in spec.arguments:
            arguments.append(parameter.name)
        elif parameter.default is parameter.empty:
            hint = did_you_mean(parameter.name, spec.arguments)
            raise refuse(
                f"{spec.name} has no argument {parameter.name!r}.{hint} It may ask for: {_names(spec.arguments)}"
            )
    kind: Kind = "def"
    if inspect.isasyncgenfunction(function):
        kind = "stream"
        if spec.name != "compose_reply":
            raise refuse(f"{spec.name} is an async generator; only compose_reply may stream")
    elif inspect.iscoroutinefunction(function):
        kind = "async"
    if spec.failure == "strict" and kind != "def":
        raise refuse(f"{spec.name} is called while starting and must be `def`, not `async def`")
    order = getattr(function, "rejoinder_order", None) or Order()
    if order.when is not None and spec.failure in ("strict", "closed"):
        raise refuse(f"{spec.name} is always called: remove `when`")
    return Implementation(plugin, spec, function, tuple(arguments), kind, order)


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def in_order(implementations: Sequence[Implementation]) -> list[Implementation]:
    """Put the implementations of one hook in their declared order.

    Those with `tryfirst` come first, those with `trylast` last, and within each group the names decide; `before` and `after`
    go above both. The order in which plugins were loaded never counts.

    Raises:
        PluginOrderError: the declarations contradict one another; the text names the plugins of the circle.
    """
    by_name = {one.plugin: one for one in implementations}
    later: dict[str, set[str]] = {name: set() for name in by_name}
    for one in implementations:
        later[one.plugin].update(name for name in one.order.before if name in by_name)
        for name in one.order.after:
            if name in by_name:
                later[name].add(one.plugin)
    earlier = {name: sum(name in names for names in later.values()) for name in by_name}

    def rank(name: str) -> tuple[int, str]:
        order = by_name[name].order
        return (0 if order.tryfirst else 2 if order.trylast else 1, name)

    ready = [rank(name) for name, count in earlier.items() if count == 0]
    heapq.heapify(ready)
    result = []
    while ready:
        _, name = heapq.heappop(ready)
        result.append(by_name[name])
        for follower in later[name]:
            earlier[follower] -= 1
            if earlier[follower] == 0:
                heapq.heappush(ready, rank(follower))
    if len(result) < len(by_name):
        circle = sorted(_in_circles({name: later[name] for name, count in earlier.items() if count > 0}))
        hook = implementations[0].spec.name
        raise PluginOrderError(
            f"hook {hook}: the declared orders of {', '.join(circle)} contradict one another; change `before` or `after`",
            plugin=circle[0],
        )
    return result


def _in_circles(later: dict[str, set[str]]) -> set[str]:
    """Leave out the names that only follow a circle."""
    names = set(later)
    while ends := {name for name in names if not later[name] & names}:
        names -= ends
    return names

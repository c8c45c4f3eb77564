"""Registration is all or nothing, and every refusal says what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.errors import PluginError, PluginLoadError, PluginSpecError
from rejoinder.hooks import SPEC_VERSION, SPECS
from rejoinder.host import Host, Plugins
from rejoinder.host.discovery import FoundPlugin
from rejoinder.host.plugins import load_plugins
from rejoinder.payloads import Domain, Query, Task

FROM = r"plugin 'mine' from shop 1\.2: "


class Good:
    @hookimpl()
    def retrieve_answers(self, query: Query) -> None:
        return None


def with_hook(name: str, function: Any, **attributes: Any) -> object:
    function.__name__ = name
    return type("Plugin", (), {name: hookimpl()(function), **attributes})()


def misspelt() -> object:
    def retrieve_answer(self: object, query: Query) -> None: ...

    return with_hook("retrieve_answer", retrieve_answer)


def nothing_like_it() -> object:
    def sing(self: object) -> None: ...

    return with_hook("sing", sing)


def wrong_argument() -> object:
    def retrieve_answers(self: object, querry: Query) -> None: ...

    return with_hook("retrieve_answers", retrieve_answers)


def star_arguments() -> object:
    def retrieve_answers(self: object, *args: object) -> None: ...

    return with_hook("retrieve_answers", retrieve_answers)


def star_star_arguments() -> object:
    def retrieve_answers(self: object, **kwargs: object) -> None: ...

    return with_hook("retrieve_answers", retrieve_answers)


def positional_only() -> object:
    def retrieve_answers(self: object, query: Query, /) -> None: ...

    return with_hook("retrieve_answers", retrieve_answers)


def async_generator() -> object:
    async def retrieve_answers(self: object) -> Any:
        yield 1

    return with_hook("retrieve_answers", retrieve_answers)


def async_start() -> object:
    async def register_tasks(self: object) -> Any: ...

    return with_hook("register_tasks", register_tasks)


def unmarked() -> object:
    class Plugin:
        def retrieve_answers(self, query: Query) -> None: ...

    return Plugin()


def wrapper() -> object:
    import pluggy

    class Plugin:
        @pluggy.HookimplMarker("rejoinder")(wrapper=True)
        def retrieve_answers(self, query: Query) -> Any:
            return (yield)

    return Plugin()


def empty() -> object:
    return object()


def of_version(wanted: Any) -> Callable[[], object]:
    def make() -> object:
        plugin = Good()
        plugin.rejoinder_spec = wanted  # type: ignore[attr-defined]
        return plugin

    return make


def registering(hook: str, behave: Callable[[], Any]) -> Callable[[], object]:
    def make() -> object:
        def give(self: object) -> Any:
            return behave()

        return with_hook(hook, give, retrieve_answers=Good.retrieve_answers)

    return make


def broken() -> None:
    raise KeyError("no file")


def leaves() -> None:
    raise SystemExit("bye")


REFUSED = {
    "a class": (lambda: Good, r"Good is a class; give an instance: forgot the `\(\)`\?"),
    "a misspelt hook": (
        misspelt,
        r"there is no hook 'retrieve_answer'\. Did you mean 'retrieve_answers'\? See docs/hooks\.md",
    ),
    "an unknown hook": (nothing_like_it, r"there is no hook 'sing'\. See docs/hooks\.md"),
    "a wrong argument": (
        wrong_argument,
        r"retrieve_answers has no argument 'querry'\. Did you mean 'query'\? It may ask for: query, context",
    ),
    "*args": (star_arguments, r"retrieve_answers takes \*args; name the arguments it needs: query, context"),
    "**kwargs": (star_star_arguments, r"retrieve_answers takes \*kwargs; name the arguments"),
    "positional only": (positional_only, "argument 'query' is positional-only; hooks are called by name"),
    "an async generator": (async_generator, "retrieve_answers is an async generator; only compose_reply may stream"),
    "async while starting": (async_start, "register_tasks is called while starting and must be `def`"),
    "not marked": (unmarked, r"retrieve_answers is named like a hook but is not marked: put `@hookimpl\(\)` above it"),
    "a wrapper": (wrapper, "retrieve_answers is a wrapper; wrappers are not supported"),
    "no hook": (empty, r"it implements no hook: mark its functions with `@hookimpl\(\)`"),
    "a newer specification": (of_version(">=2"), f"it needs hook specifications >=2, this host has {SPEC_VERSION}"),
    "no version range": (of_version("two"), "rejoinder_spec is 'two', not a version range such as '>=1.0,<2'"),
    "a version that is no text": (of_version(1.0), "rejoinder_spec is 1.0, not a version range"),
    "registers and raises": (registering("register_tasks", broken), "register_tasks: KeyError: 'no file'"),
    "registers and leaves": (registering("register_tasks", leaves), "register_tasks: SystemExit: bye"),
    "registers nothing": (
        registering("register_tasks", lambda: None),
        "register_tasks: gave NoneType, expected a list or tuple of Task",
    ),
    "registers a wrong value": (
        registering("register_tasks", lambda: [Domain(name="d")]),
        "register_tasks: expected Task, got Domain",
    ),
    "registers a value out of range": (registering("register_domain", lambda: [Domain(name="")]), "Domain.name"),
    "registers one name twice": (
        registering("register_tasks", lambda: [Task(name="t", learner=dict)] * 2),
        "register_tasks: the task 't' is already registered by plugin 'mine'; give it another name",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_and_leaves_nothing(case: str) -> None:
    make, text = REFUSED[case]
    registry = Plugins()
    registry.register(Good(), "good")

    with pytest.raises(PluginSpecError, match=FROM + ".*" + text) as refused:
        registry.register(make(), "mine", "shop 1.2")

    assert (refused.value.plugin, refused.value.distribution) == ("mine", "shop 1.2")
    assert_untouched(registry)


def assert_untouched(registry: Plugins) -> None:
    """Only "good" is there: in the registry, in the orders and in pluggy."""
    assert registry.names == {"good"}
    assert [plugin.name for plugin in registry] == ["good"]
    assert {one.plugin for hook in SPECS for one in registry.in_order(hook)} == {"good"}
    manager = registry._manager
    assert [name for name, _ in manager.list_name_plugin()] == ["good"]
    assert {one.plugin_name for hook in SPECS for one in getattr(manager.hook, hook).get_hookimpls()} == {"good"}


def test_a_name_that_is_taken_is_refused_with_both_distributions() -> None:
    registry = Plugins()
    registry.register(Good(), "good", "first 1.0")

    with pytest.raises(
        PluginSpecError, match=r"'good' from second 2\.0: the name is taken by first 1\.0; uninstall one"
    ):
        registry.register(Good(), "good", "second 2.0")
    assert_untouched(registry)


def test_one_instance_under_two_names_is_refused() -> None:
    plugin = Good()
    registry = Plugins()
    registry.register(plugin, "good")

    with pytest.raises(PluginSpecError, match="already registered"):
        registry.register(plugin, "again")
    assert_untouched(registry)


@pytest.mark.parametrize(
    ("hook", "value", "kind"),
    [("register_tasks", Task(name="x", learner=dict), "task"), ("register_domain", Domain(name="x"), "domain")],
)
def test_two_of_one_name_are_refused(hook: str, value: Any, kind: str) -> None:
    registry = Plugins()
    registry.register(registering(hook, lambda: [value])(), "first")

    with pytest.raises(PluginSpecError, match=f"the {kind} 'x' is already registered by plugin 'first'"):
        registry.register(registering(hook, lambda: [value])(), "second")
    assert registry.names == {"first"}


def test_properties_are_not_run() -> None:
    class Plugin(Good):
        @property
        def settings_file(self) -> None:
            raise RuntimeError("not yet")

        @functools.cached_property
        def model(self) -> None:
            raise RuntimeError("not yet")

    registry = Plugins()
    registry.register(Plugin(), "mine")

    assert registry.names == {"mine"}


@pytest.mark.parametrize("wanted", [">=1.0,<2", "==1.*", "", None], ids=str)
def test_a_range_that_fits_is_taken(wanted: str | None) -> None:
    registry = Plugins()
    registry.register(of_version(wanted)(), "mine")

    assert registry.names == {"mine"}


def test_an_implementation_may_ask_for_fewer_arguments_and_have_others_with_defaults() -> None:
    def decide_action(self: object, context: Any, sure: float = 0.5) -> None: ...

    registry = Plugins()
    registry.register(with_hook("decide_action", decide_action), "mine")

    assert registry.in_order("decide_action")[0].arguments == ("context",)


def test_functions_methods_and_modules_are_plugins() -> None:
    import types

    module = types.ModuleType("module")

    @hookimpl()
    def retrieve_answers(query: Query) -> None: ...

    module.retrieve_answers = retrieve_answers  # type: ignore[attr-defined]

    class Static:
        pass

    Static.retrieve_answers = staticmethod(retrieve_answers)  # type: ignore[attr-defined]

    registry = Plugins()
    registry.register(module, "module")
    registry.register(Static(), "static")

    assert [one.arguments for one in registry.in_order("retrieve_answers")] == [("query",), ("query",)]


def test_unregister_takes_all_of_a_plugin_out() -> None:
    registry = Plugins()
    registry.register(Good(), "good")
    registry.register(registering("register_tasks", lambda: [Task(name="t", learner=dict)])(), "mine")
    assert len(registry.registered("register_tasks")) == 1

    registry.unregister("mine")

    assert registry.registered("register_tasks") == []
    assert_untouched(registry)
    with pytest.raises(KeyError):
        registry.unregister("mine")


async def test_a_plugin_that_is_not_enabled_is_never_called(host_of: Any, request_of: Any) -> None:
    called = []

    class Plugin:
        @hookimpl()
        def retrieve_answers(self, context: Any) -> None:
            called.append((context.tenant, context.plugin))

    host = host_of(a=Plugin(), b=Plugin(), c=Plugin())
    await host.retrieve_answers(Query(), request_of(host, tenant="x", plugins=frozenset({"a", "c"})))
    await host.retrieve_answers(Query(), request_of(host, tenant="y", plugins=frozenset({"b"})))
    await host.retrieve_answers(Query(), request_of(host, tenant="z", plugins=frozenset()))

    assert called == [("x", "a"), ("x", "c"), ("y", "b")]


async def test_a_plugin_sees_its_own_settings_only(host_of: Any, request_of: Any) -> None:
    seen = {}

    class Plugin:
        @hookimpl()
        def retrieve_answers(self, context: Any) -> None:
            seen[context.plugin] = context.settings

    host = host_of(a=Plugin(), b=Plugin())
    await host.retrieve_answers(Query(), request_of(host, settings={"a": "settings of a"}))

    assert seen == {"a": "settings of a", "b": None}


def found(name: str, source: str, folder: Path) -> FoundPlugin:
    path = folder / f"{name}.py"
    path.write_text(source)
    return FoundPlugin(name, str(path), path)


GOOD_SOURCE = "from rejoinder import hookimpl\n@hookimpl()\ndef retrieve_answers(query): return []\n"


def test_load_plugins_keeps_the_good_and_tells_of_the_others(tmp_path: Path) -> None:
    there = [
        found("zebra", GOOD_SOURCE, tmp_path),
        found("broken", "raise SystemExit('bye')", tmp_path),
        found("misspelt", GOOD_SOURCE.replace("answers", "answer"), tmp_path),
        found("ape", GOOD_SOURCE, tmp_path),
    ]

    plugins, failures = load_plugins(there)

    assert [plugin.name for plugin in plugins] == ["ape", "zebra"]
    assert [type(one) for one in failures] == [PluginLoadError, PluginSpecError]
    assert f"plugin 'broken' from {tmp_path / 'broken.py'} cannot be imported: SystemExit: bye" in str(failures[0])
    assert "Did you mean 'retrieve_answers'?" in str(failures[1])


@pytest.mark.parametrize(
    ("name", "hint"), [("zebr", " Did you mean 'zebra'?"), ("lion", "")], ids=["near", "nothing near"]
)
def test_switching_off_what_is_not_there_is_refused(tmp_path: Path, name: str, hint: str) -> None:
    there = [found("zebra", GOOD_SOURCE, tmp_path)]

    with pytest.raises(PluginLoadError) as refused:
        load_plugins(there, disabled=[name])

    assert str(refused.value) == f"`plugins.disabled` names {name!r}, which is not installed.{hint}"


def test_one_that_is_switched_off_is_not_imported(tmp_path: Path) -> None:
    there = [found("zebra", GOOD_SOURCE, tmp_path), found("broken", "raise ValueError", tmp_path)]

    plugins, failures = load_plugins(there, disabled=["broken"])

    assert (plugins.names, failures) == ({"zebra"}, [])


@pytest.mark.parametrize("turned", [False, True], ids=["found first", "found last"])
def test_which_of_two_of_one_name_is_kept_does_not_depend_on_finding(tmp_path: Path, turned: bool) -> None:
    one = found("zebra", GOOD_SOURCE, tmp_path)
    there = [FoundPlugin("zebra", "a 1.0", one.origin), FoundPlugin("zebra", "b 1.0", one.origin)]

    plugins, failures = load_plugins(there[::-1] if turned else there)

    assert plugins["zebra"].distribution == "a 1.0"
    assert "'zebra' from b 1.0: the name is taken by a 1.0" in str(failures[0])


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.host.host.installed_plugins", lambda: iter(()))


@pytest.mark.usefixtures("_nothing_installed")
def test_a_host_refuses_to_load_what_does_not_fit_and_names_all(tmp_path: Path) -> None:
    found("a", "import no_such_module", tmp_path)
    with pytest.raises(PluginLoadError, match=r"plugin 'a' from .*a\.py cannot be imported: ModuleNotFoundError"):
        Host.load(folder=tmp_path)

    found("b", "x =", tmp_path)
    with pytest.raises(PluginLoadError, match=r"^2 plugins cannot be used:\n- plugin 'a'.*\n- plugin 'b'.*SyntaxError"):
        Host.load(folder=tmp_path)


@pytest.mark.usefixtures("_nothing_installed")
def test_a_tolerant_host_goes_without(tmp_path: Path) -> None:
    found("a", "import no_such_module", tmp_path)
    found("b", GOOD_SOURCE, tmp_path)

    host = Host.load(folder=tmp_path, tolerant=True)

    assert host.plugin_names == {"b"}
    assert host.plugin("b").distribution == str(tmp_path / "b.py")
    assert [one.plugin for one in host.failures] == ["a"]
    assert all(isinstance(one, PluginError) for one in host.failures)
    host.close()

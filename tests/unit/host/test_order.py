"""Order is declared, never accidental."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder import hookimpl
from rejoinder.errors import PluginOrderError, PluginSpecError
from rejoinder.hooks import SPECS
from rejoinder.host import Host, Plugins
from rejoinder.host.implementations import implementations_of, in_order
from rejoinder.payloads import Query
from rejoinder.testing import make_request


def plugin(**order: Any) -> object:
    class Plugin:
        @hookimpl(**order)
        def retrieve_answers(self, query: Query) -> None:
            return None

    return Plugin()


def order_of(**plugins: object) -> list[str]:
    registry = Plugins()
    for name, one in plugins.items():
        registry.register(one, name)
    return [one.plugin for one in registry.in_order("retrieve_answers")]


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        pytest.param({"b": {}, "c": {}, "a": {}}, "abc", id="names"),
        pytest.param({"a": {}, "z": {"tryfirst": True}}, "za", id="tryfirst"),
        pytest.param({"a": {"trylast": True}, "z": {}}, "za", id="trylast"),
        pytest.param({"b": {"tryfirst": True}, "a": {"tryfirst": True}, "c": {}}, "abc", id="two tryfirst"),
        pytest.param({"a": {}, "z": {"before": ["a"]}}, "za", id="before"),
        pytest.param({"a": {"after": ["z"]}, "z": {}}, "za", id="after"),
        pytest.param({"a": {"before": ["nobody"], "after": ["no one"]}, "b": {}}, "ab", id="unknown names are ignored"),
        pytest.param(
            {"a": {"tryfirst": True, "after": ["z"]}, "z": {"trylast": True}}, "za", id="after beats tryfirst"
        ),
        pytest.param({"a": {}, "b": {"after": ["c"]}, "c": {"after": ["d"]}, "d": {}}, "adcb", id="a line of after"),
        pytest.param({"a": {"before": ["b"]}, "b": {"after": ["a"]}}, "ab", id="said twice"),
    ],
)
def test_declared_order_decides(plugins: dict[str, dict[str, Any]], expected: str) -> None:
    assert "".join(order_of(**{name: plugin(**order) for name, order in plugins.items()})) == expected


@pytest.mark.parametrize(
    ("plugins", "circle"),
    [
        pytest.param({"a": {"before": ["b"]}, "b": {"before": ["a"]}, "c": {"after": ["b"]}}, "a, b", id="two"),
        pytest.param({"a": {"after": ["c"]}, "b": {"after": ["a"]}, "c": {"after": ["b"]}}, "a, b, c", id="three"),
        pytest.param({"a": {"before": ["a"]}}, "a", id="itself"),
    ],
)
def test_a_circle_is_refused_with_its_names_only(plugins: dict[str, dict[str, Any]], circle: str) -> None:
    found = [implementations_of(plugin(**order), name)[0] for name, order in plugins.items()]

    with pytest.raises(PluginOrderError, match=f"retrieve_answers: the declared orders of {circle} contradict"):
        in_order(found)


def test_a_refused_circle_names_the_distribution_and_leaves_nothing() -> None:
    registry = Plugins()
    registry.register(plugin(before=["b"]), "a")

    with pytest.raises(PluginOrderError, match=r"plugin 'b' from shop 1\.0: hook retrieve_answers") as refused:
        registry.register(plugin(before=["a"]), "b", "shop 1.0")

    assert refused.value.distribution == "shop 1.0"
    assert registry.names == {"a"}
    assert [one.plugin for one in registry.in_order("retrieve_answers")] == ["a"]


NAMES = "abcdef"
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "place": st.sampled_from(["tryfirst", "trylast"]),
        "before": st.lists(st.sampled_from(NAMES), max_size=2),
        "after": st.lists(st.sampled_from(NAMES), max_size=2),
    },
)


def made(order: dict[str, Any]) -> object:
    place = order.get("place")
    return plugin(**{place: True} if place else {}, before=order.get("before", []), after=order.get("after", []))


@given(st.dictionaries(st.sampled_from(NAMES), ORDERS, min_size=2), st.randoms(use_true_random=False))
def test_load_order_never_counts(orders: dict[str, dict[str, Any]], random: Any) -> None:
    found = [implementations_of(made(order), name)[0] for name, order in orders.items()]
    shuffled = random.sample(found, len(found))

    def names(implementations: list[Any]) -> list[str] | None:
        try:
            return [one.plugin for one in in_order(implementations)]
        except PluginOrderError:
            return None

    first = names(found)
    assert names(shuffled) == first
    if first is not None:
        for name, order in orders.items():
            for later in set(order.get("before", [])) & set(first):
                assert first.index(name) < first.index(later)
            for earlier in set(order.get("after", [])) & set(first):
                assert first.index(earlier) < first.index(name)


def test_order_of_a_host_covers_all_hooks(host_of: Any) -> None:
    host = host_of(b=plugin(), a=plugin(trylast=True))

    assert [(hook, one.plugin) for hook, one in host.order()] == [("retrieve_answers", "b"), ("retrieve_answers", "a")]
    assert set(SPECS) >= {hook for hook, _ in host.order()}


@pytest.mark.parametrize(
    ("order", "text"),
    [
        pytest.param({"tryfirst": True, "trylast": True}, "exclude one another", id="first and last"),
        pytest.param({"deadline_s": 0}, "must be positive, not 0", id="no time"),
        pytest.param({"deadline_s": -1.5}, "must be positive, not -1.5", id="negative time"),
    ],
)
def test_hookimpl_refuses_what_makes_no_sense(order: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        hookimpl(**order)


async def test_what_a_tenants_settings_leave_out_is_not_called_and_leaves_no_line() -> None:
    class Guest:
        def __init__(self, when: Any) -> None:
            async def retrieve_answers(query: Query) -> list[Any]:
                return []

            self.retrieve_answers = hookimpl(when=when)(retrieve_answers)

    def fails(settings: Any) -> bool:
        raise RuntimeError("cannot say")

    registry = Plugins()
    registry.register(Guest(lambda settings: settings["on"]), "asked")
    registry.register(Guest(fails), "broken")
    registry.register(plugin(), "plain")
    host = Host(registry)
    for on, called in ((True, ["asked", "broken", "plain"]), (False, ["broken", "plain"])):
        request = make_request(plugins=host.plugin_names, settings={"asked": {"on": on}})
        await host.retrieve_answers(Query(text="x"), request)
        assert sorted(one.plugin for one in request.trace.calls) == called
    host.close()


def test_what_is_always_called_cannot_be_left_out() -> None:
    class Redactor:
        @hookimpl(when=lambda settings: False)
        def redact_text(self, text: str) -> str:
            return text

    with pytest.raises(PluginSpecError, match="redact_text is always called: remove `when`"):
        Plugins().register(Redactor(), "redactor")

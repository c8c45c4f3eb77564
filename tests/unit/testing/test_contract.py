"""The kit accepts a good plugin and catches each kind of bad one."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.hooks import SPECS
from rejoinder.payloads import (
    Action,
    Answer,
    Detection,
    DetectorState,
    EffectResult,
    Entity,
    Example,
    Query,
    Reading,
    Reply,
    Source,
    Span,
    Task,
    Understanding,
)
from rejoinder.testing import (
    CheckResult,
    ContractError,
    EchoPlugin,
    ExampleCall,
    check_plugin,
    example_arguments,
    run_checks,
)

ROOT = Path(__file__).resolve().parents[3]


def plugin(**hooks: Any) -> object:
    """Return a plugin whose hooks are these functions (without `self`)."""
    for name, function in hooks.items():
        function.__name__ = name
    members = {name: staticmethod(hookimpl()(function)) for name, function in hooks.items()}
    return type("Plugin", (), members)()


def failed(bad: object, **options: Any) -> dict[str, str]:
    """Return detail by check of all that failed."""
    results = run_checks(bad, **{"fresh_process": False, "name": "bad", **options})
    return {one.check: one.detail for one in results if one.outcome == "failed"}


GIVES = "gives the right type for every example, in time, without raising"
UNTOUCHED = "leaves its arguments untouched"
RULES = "keeps the hook's rules"
SAME = "gives the same for the same arguments"
TOGETHER = "gives the same when called at the same time"
LOOP = "does not block the loop"
FRESH = "can be imported in a fresh process"


def test_the_echo_plugin_keeps_the_contract() -> None:
    results = check_plugin(EchoPlugin())

    assert {one.hook for one in results} == {
        None,
        "understand_intent",
        "decide_action",
        "retrieve_answers",
        "compose_reply",
    }
    assert CheckResult(FRESH, None, "passed") in results


def test_every_skip_gives_its_reason() -> None:
    assert all(one.detail for one in check_plugin(EchoPlugin(), fresh_process=False) if one.outcome == "skipped")


def test_the_examples_of_the_documentation_keep_the_contract_for_every_hook() -> None:
    path = ROOT / "docs" / "examples" / "every_hook.py"
    spec = importlib.util.spec_from_file_location("every_hook", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    results = check_plugin(module.plugin, fresh_process=False)

    assert {one.hook for one in results if one.hook} == set(SPECS)


@pytest.mark.parametrize("hook", SPECS)
def test_there_are_examples_of_every_hook(hook: str) -> None:
    calls = example_arguments(hook)

    assert calls
    assert len({call.label for call in calls}) == len(calls)
    wanted = set(SPECS[hook].arguments) - {"context"}
    assert all(set(call.arguments) == wanted for call in calls)


def test_a_plugin_that_does_not_fit_fails_at_once() -> None:
    assert "forgot the `()`?" in failed(EchoPlugin)["fits the specifications"]
    with pytest.raises(ContractError, match=r"fails 1 contract check:\n- fits the specifications: .*forgot the"):
        check_plugin(EchoPlugin)


def test_the_error_tells_all_that_failed_and_holds_all_results() -> None:
    def retrieve_answers(query: Query) -> Any:
        return "text"

    with pytest.raises(ContractError, match="plugin 'shop' fails 1 contract check") as error:
        check_plugin(plugin(retrieve_answers=retrieve_answers), name="shop", fresh_process=False)

    assert "- retrieve_answers: gives the right type" in str(error.value)
    assert "example 'ordinary': plugin 'shop', hook retrieve_answers: returned str" in str(error.value)
    assert isinstance(error.value, AssertionError)
    assert error.value.plugin == "shop"
    assert {one.outcome for one in error.value.results} == {"passed", "failed", "skipped"}


def raises_on_empty(query: Query) -> Any:
    return [Answer(id="a", score=0.5, source="s", text=(query.text or "").split()[0])]


def wrong_type(query: Query) -> Any:
    return {"id": "a"}


def out_of_range(query: Query) -> Any:
    return [Answer(id="a", score=1.5, source="s")]


def exits(query: Query) -> Any:
    raise SystemExit


@pytest.mark.parametrize(
    ("retrieve_answers", "text"),
    [
        pytest.param(raises_on_empty, "example 'empty'", id="raises on empty text"),
        pytest.param(wrong_type, "returned dict", id="wrong type"),
        pytest.param(out_of_range, "Answer.score", id="out of range"),
        pytest.param(exits, "SystemExit", id="exits"),
    ],
)
def test_wrong_results_and_errors_are_caught(retrieve_answers: Any, text: str) -> None:
    assert text in failed(plugin(retrieve_answers=retrieve_answers))[GIVES]


@pytest.mark.parametrize("kind", ["async", "def"])
def test_one_that_hangs_is_caught(kind: str) -> None:
    release = threading.Event()

    async def hangs(query: Query) -> Any:
        await asyncio.sleep(60)

    def blocks(query: Query) -> Any:
        release.wait(60)

    bad = plugin(retrieve_answers=hangs if kind == "async" else blocks)
    try:
        assert "no result within 0.02 s" in failed(bad, timeout_s=0.02)[GIVES]
    finally:
        release.set()


def test_an_edited_argument_is_caught() -> None:
    def edits(query: Query) -> Any:
        query.filters["seen"] = True  # type: ignore[index]
        return []

    assert "it edited query; return a new value instead" in failed(plugin(retrieve_answers=edits))[UNTOUCHED]


def test_a_random_result_is_caught() -> None:
    counter = itertools.count()

    def counts(query: Query) -> Any:
        return [Answer(id=f"a{next(counter)}", score=0.5, source="s")]

    assert "example 'ordinary'" in failed(plugin(retrieve_answers=counts))[SAME]


def test_one_that_is_better_once_it_is_warm_passes() -> None:
    queries: set[str] = set()

    def warms_up(query: Query) -> Any:
        known = str(query) in queries
        queries.add(str(query))
        return [Answer(id="warm" if known else "cold", score=0.5, source="s")]

    assert failed(plugin(retrieve_answers=warms_up)) == {}


def test_one_that_mixes_calls_up_is_caught() -> None:
    class Shared:
        query: Query | None = None

        @hookimpl()
        async def retrieve_answers(self, query: Query) -> Any:
            self.query = query
            await asyncio.sleep(0.001)
            return [Answer(id="a", score=0.5, source="s", text=self.query.text)]

    assert "example 'empty'" in failed(Shared())[TOGETHER]


def test_an_async_def_that_blocks_is_caught() -> None:
    async def blocks(query: Query, context: Any) -> Any:
        if query.text and query.limit == 1:
            time.sleep(0.3)  # noqa: ASYNC251  # on purpose
        return []

    assert "it held the loop for 0.3" in failed(plugin(retrieve_answers=blocks))[LOOP]


def state_of(state: DetectorState) -> Any:
    return Detection(state=DetectorState(key="another"))


BROKEN_RULES: dict[str, tuple[Any, str]] = {
    "retrieve_answers: more than wanted": (
        lambda query: [Answer(id=str(n), score=0.5, source="s") for n in range(query.limit + 1)],
        "at most 5 were wanted",
    ),
    "retrieve_answers: not sorted": (
        lambda query: [Answer(id="a", score=0.1, source="s"), Answer(id="b", score=0.9, source="s")][: query.limit],
        "not sorted, best first",
    ),
    "retrieve_answers: one twice": (
        lambda query: [Answer(id="a", score=0.1, source="s")] * min(2, query.limit),
        "a is there more than once",
    ),
    "rank_answers: one added": (
        lambda answers: [*answers, Answer(id="new", score=0.1, source="s")],
        "answers new were not among those to rank",
    ),
    "understand_intent: a span outside": (
        lambda message: Understanding(entities=(Entity(name="a", value="b", span=Span(start=0, end=9000)),)),
        "span 0-9000 is not inside the text",
    ),
    "understand_intent: a span turned round": (
        lambda message: Understanding(readings=(Reading(intent="a", confidence=1.0, span=Span(start=1, end=0)),)),
        "span 1-0 is not inside",
    ),
    "decide_action: an answer without a query": (
        lambda state: Action(kind="answer", state=state),
        "an action to answer needs a `query`",
    ),
    "decide_action: a question without a text": (
        lambda state: Action(kind="ask", state=state),
        "an action to ask back or say something needs a `text`",
    ),
    "run_effect: another name": (lambda effect: EffectResult(name="x", ok=True), "named 'x', the effect 'example'"),
    "seed_examples: one id twice": (
        lambda: [Example(id="a", task="t", text="x")] * 2,
        "a is there more than once",
    ),
    "make_examples: one id twice": (
        lambda reward: [Example(id="a", task="t", text="x")] * 2,
        "a is there more than once",
    ),
    "detect_change: another series": (state_of, "the state is of series 'another'"),
}


@pytest.mark.parametrize("case", BROKEN_RULES)
def test_a_broken_rule_is_caught(case: str) -> None:
    function, text = BROKEN_RULES[case]
    hook = case.partition(":")[0]

    assert text in failed(plugin(**{hook: function}))[RULES]


def test_a_retried_hook_may_raise_and_the_skip_says_so() -> None:
    def poll_source(source: Source) -> Any:
        raise ConnectionError("no such feed")

    results = run_checks(plugin(poll_source=poll_source), name="feed", fresh_process=False)

    assert not [one for one in results if one.outcome == "failed"]
    (skipped,) = [one for one in results if one.check == "never raises"]
    assert "no such feed" in skipped.detail


def test_examples_of_ones_own_are_run_too() -> None:
    def retrieve_answers(query: Query) -> Any:
        return "wrong" if query.kind == "mine" else []

    mine = {"retrieve_answers": [ExampleCall("my own", {"query": Query(kind="mine")})]}

    assert "example 'my own'" in failed(plugin(retrieve_answers=retrieve_answers), examples=mine)[GIVES]


def test_settings_reach_the_plugin() -> None:
    seen = set()

    def retrieve_answers(context: Any) -> Any:
        seen.add(context.settings)
        return []

    check_plugin(plugin(retrieve_answers=retrieve_answers), settings="mine", fresh_process=False)

    assert seen == {"mine"}


def test_settings_without_defaults_must_be_given() -> None:
    from pydantic import BaseModel

    class Settings(BaseModel):
        key: str

    bad = plugin(retrieve_answers=lambda query: [])
    bad.settings = Settings  # type: ignore[attr-defined]

    assert "Settings has no defaults, give `settings=`" in failed(bad)["has settings"]


def test_hooks_of_the_life_cycle_come_first_and_last() -> None:
    told = []

    class Plugin:
        @hookimpl()
        def stop(self) -> None:
            told.append("stop")

        @hookimpl()
        def tenant_disabled(self) -> None:
            told.append("disabled")

        @hookimpl()
        def tenant_enabled(self) -> None:
            told.append("enabled")

        @hookimpl()
        def start(self) -> None:
            told.append("start")

        @hookimpl()
        def retrieve_answers(self) -> list[Answer]:
            told.append("retrieve")
            return []

    check_plugin(Plugin(), fresh_process=False)

    assert list(dict.fromkeys(told)) == ["start", "enabled", "retrieve", "disabled", "stop"]


def test_a_task_is_checked_when_it_is_registered() -> None:
    assert "expected Task" in failed(plugin(register_tasks=lambda: [1]))["fits the specifications"]
    assert failed(plugin(register_tasks=lambda: [Task(name="t", learner=dict)])) == {}


def test_streams_are_read_to_the_end() -> None:
    async def compose_reply(action: Action) -> Any:
        yield "one"
        yield 2

    assert "expected str, got int" in failed(plugin(compose_reply=compose_reply))[GIVES]


def test_redaction_is_a_chain() -> None:
    assert failed(plugin(redact_text=lambda text: text.replace("Ada", "[NAME]"))) == {}
    assert "returned None" in failed(plugin(redact_text=lambda text: None))[GIVES]


def test_a_module_that_starts_threads_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "restless.py").write_text(
        "import threading, time\n"
        "from rejoinder import hookimpl\n"
        "threading.Thread(target=time.sleep, args=(1.0,), name='restless', daemon=True).start()\n"
        "@hookimpl()\n"
        "def retrieve_answers(query): return []\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import restless  # type: ignore[import-not-found]

    assert "importing it starts threads: restless; start them" in failed(restless, fresh_process=True)[FRESH]


def test_an_import_that_works_only_once_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "once.py"
    path.write_text("from rejoinder import hookimpl\n@hookimpl()\ndef retrieve_answers(query): return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import once  # type: ignore[import-not-found]

    path.write_text("raise RuntimeError('second time')")

    assert failed(once, fresh_process=True)[FRESH] == "RuntimeError: second time"


def test_a_class_within_a_function_is_not_imported_again() -> None:
    class Local:
        @hookimpl()
        def retrieve_answers(self, query: Query) -> list[Answer]:
            return []

    (result,) = [one for one in run_checks(Local()) if one.check == FRESH]

    assert (result.outcome, result.detail) == ("skipped", "its class is defined within a function")


def test_a_module_without_a_file_is_not_imported_again() -> None:
    module = types.ModuleType("nowhere_to_be_found")

    @hookimpl()
    def retrieve_answers(query: Query) -> list[Answer]:
        return []

    module.retrieve_answers = retrieve_answers  # type: ignore[attr-defined]
    (result,) = [one for one in run_checks(module) if one.check == FRESH]

    assert (result.outcome, result.detail) == ("skipped", "its module nowhere_to_be_found cannot be imported by name")


def test_checks_may_run_within_a_loop() -> None:
    async def main() -> list[CheckResult]:
        return check_plugin(EchoPlugin(), fresh_process=False)

    assert asyncio.run(main())


def test_reply_values_are_compared_whole() -> None:
    parts = iter(range(1000))

    def compose_reply(action: Action) -> Any:
        return Reply(parts=(str(next(parts)),))

    assert SAME in failed(plugin(compose_reply=compose_reply))

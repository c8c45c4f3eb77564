"""What single hooks promise beyond their types: rules that a result must keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def broken_rules(hook: str, arguments: Mapping[str, Any], value: Any) -> list[str]:
    """Return the rules of a hook that its result breaks, in words; [] when it gave nothing."""
    rule = _RULES.get(hook)
    return list(rule(arguments, value)) if rule is not None and value is not None else []


def _inside(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    length = len(arguments["message"].text)
    for found in (*value.readings, *value.entities):
        if found.span is not None and not found.span.start <= found.span.end <= length:
            yield f"span {found.span.start}-{found.span.end} is not inside the text of {length} characters"


def _complete(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    if value.kind == "answer" and value.query is None:
        yield "an action to answer needs a `query`"
    if value.kind in ("ask", "say") and not value.text:
        yield "an action to ask back or say something needs a `text`"


def _same_name(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    if value.name != arguments["effect"].name:
        yield f"the result is named {value.name!r}, the effect {arguments['effect'].name!r}"


def _a_queue(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    if value not in ("cpu", "gpu"):
        yield f"there is no queue {value!r}: say cpu or gpu"


def _best_first(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    limit = arguments["query"].limit
    if len(value) > limit:
        yield f"{len(value)} answers, at most {limit} were wanted (`query.limit`)"
    scores = [answer.score for answer in value]
    if scores != sorted(scores, reverse=True):
        yield "the answers are not sorted, best first"
    yield from _once(answer.id for answer in value)


def _none_added(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    added = {answer.id for answer in value} - {answer.id for answer in arguments["answers"]}
    if added:
        yield f"answers {', '.join(sorted(added))} were not among those to rank: offer them in `retrieve_answers`"
    yield from _once(answer.id for answer in value)


def _unique_ids(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    yield from _once(example.id for example in value)


def _unique_names(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    yield from _once(one.name for one in value)


def _same_series(arguments: Mapping[str, Any], value: Any) -> Iterable[str]:
    if value.state.key != arguments["state"].key:
        yield f"the state is of series {value.state.key!r}, it was asked about {arguments['state'].key!r}"


def _once(names: Iterable[str]) -> Iterable[str]:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        yield f"{', '.join(repeated)} is there more than once"


_RULES: dict[str, Callable[[Mapping[str, Any], Any], Iterable[str]]] = {
    "register_domain": _unique_names,
    "register_schedules": _unique_names,
    "register_tasks": _unique_names,
    "seed_examples": _unique_ids,
    "regression_examples": _unique_ids,
    "understand_intent": _inside,
    "decide_action": _complete,
    "run_effect": _same_name,
    "choose_queue": _a_queue,
    "retrieve_answers": _best_first,
    "rank_answers": _none_added,
    "make_examples": _unique_ids,
    "detect_change": _same_series,
}

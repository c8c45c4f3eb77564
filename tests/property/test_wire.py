"""Whatever a payload holds comes back from JSON as it was; whatever does not fit is refused with its place."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from annotated_types import Ge, Le, MinLen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rejoinder import payloads, wire
from rejoinder.errors import PayloadError
from rejoinder.payloads import Candidate, Decision, Event, Example, Feedback, Query, Reading, Slot, Task, Understanding

PAYLOADS = [
    value
    for value in vars(payloads).values()
    if inspect.isclass(value) and dataclasses.is_dataclass(value) and value.__module__ == payloads.__name__
]
LIVE = {"Channel", "Command", "Domain", "Page", "Routes", "Schedule", "Table", "Task"}
JSONABLE = [cls for cls in PAYLOADS if cls.__name__ not in LIVE]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def values_of(hint: Any, limits: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Return a strategy for what an annotation of a payload allows."""
    origin, arguments = get_origin(hint), get_args(hint)
    bounds = {
        "min_value": next((limit.ge for limit in limits if isinstance(limit, Ge)), None),
        "max_value": next((limit.le for limit in limits if isinstance(limit, Le)), None),
    }
    if origin is Annotated:
        return values_of(arguments[0], hint.__metadata__)
    if hint is Any:
        return json_values
    if hint is str:
        least = next((limit.min_length for limit in limits if isinstance(limit, MinLen)), 0)
        return texts.filter(lambda text: len(text) >= least) if least else texts
    if hint is int:
        return st.integers(
            **{"min_value": -(2**53), "max_value": 2**53} | {k: v for k, v in bounds.items() if v is not None}
        )
    if hint is float:
        return st.floats(**bounds, allow_nan=False, allow_infinity=False)
    if hint is datetime:
        return moments
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping) if inspect.isclass(origin) else False:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    if type(None) in arguments and (origin is Union or type(hint).__name__ == "UnionType"):
        return st.one_of([st.none() if part is type(None) else values_of(part) for part in arguments])
    if dataclasses.is_dataclass(hint):
        return instances(hint)
    return st.from_type(hint)


def instances(cls: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for instances of a payload class."""
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{name: values_of(hint) for name, hint in hints.items()})


class Place:
    """No payload."""


def test_which_payloads_can_cross_a_process():
    assert {cls.__name__ for cls in PAYLOADS if not wire.is_jsonable(cls)} == LIVE


@pytest.mark.parametrize("cls", JSONABLE, ids=lambda cls: cls.__name__)
def test_round_trip(cls: type):
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(cls))
    def holds(payload: Any) -> None:
        assert wire.check(cls, payload) == payload
        as_bytes = wire.dump_bytes(payload)
        assert wire.load_bytes(cls, as_bytes) == payload
        assert wire.dump_bytes(wire.load_bytes(cls, as_bytes)) == as_bytes
        as_json = wire.to_json(payload)
        assert json.loads(json.dumps(as_json, allow_nan=False)) == as_json
        assert wire.from_json(cls, as_json) == payload

    holds()


@pytest.mark.parametrize("cls", JSONABLE, ids=lambda cls: cls.__name__)
def test_an_unknown_key_is_refused(cls: type):
    for read in (wire.from_json, lambda cls, data: wire.load_bytes(cls, json.dumps(data))):
        with pytest.raises(PayloadError, match=rf"{cls.__name__}\.no_such_field: there is no such field"):
            read(cls, {"no_such_field": 1})


@given(texts, json_values, st.binary(max_size=20))
def test_junk_gives_a_payload_error_and_no_other(text: str, value: Any, data: bytes):
    for junk in (text, data):
        with pytest.raises(PayloadError):
            wire.load_bytes(Decision, junk)
    with pytest.raises(PayloadError):
        wire.from_json(Decision, value)


REFUSED: list[tuple[str, Callable[[], object], str]] = [
    ("nan", lambda: Reading(intent="a", confidence=math.nan), r"Reading\.confidence: .*got nan"),
    ("infinite", lambda: Candidate(id="a", score=math.inf), r"Candidate\.score: .*finite number; got inf"),
    (
        "too big",
        lambda: Reading(intent="a", confidence=1.5),
        r"Reading\.confidence: .*less than or equal to 1; got 1\.5",
    ),
    ("too small", lambda: Query(limit=0), r"Query\.limit: .*greater than or equal to 1; got 0"),
    ("empty", lambda: Reading(intent="", confidence=0.5), r"Reading\.intent: .*at least 1 character; got ''"),
    ("text for a number", lambda: Query(limit="5"), r"Query\.limit: .*valid integer; got '5'"),  # type: ignore[arg-type]
    ("number for text", lambda: Slot(name=5, value=1), r"Slot\.name: .*valid string; got 5"),  # type: ignore[arg-type]
    (
        "nan in JSON",
        lambda: Slot(name="a", value={"b": [math.nan]}),
        r"Slot\.value: JSON has no NaN.*got \{'b': \[nan\]\}",
    ),
    ("set in JSON", lambda: Slot(name="a", value={1}), r"Slot\.value: JSON cannot say a set"),
    ("number as key", lambda: Slot(name="a", value={1: 2}), r"Slot\.value: JSON has string keys only, not int"),
    (
        "naive",
        lambda: Event(id="a", kind="b", at=datetime(2026, 1, 1)),  # noqa: DTZ001
        r"Event\.at: .*timezone",
    ),
    (
        "unknown word",
        lambda: Example(id="a", task="b", text="c", polarity="maybe"),  # type: ignore[arg-type]
        r"Example\.polarity: .*'positive', 'negative' or 'correction'; got 'maybe'",
    ),
    (
        "deep inside",
        lambda: Understanding(readings=(Reading(intent="a", confidence=0.5), Reading(intent="b", confidence=2))),
        r"Understanding\.readings\.1\.confidence: .*got 2",
    ),
]


@pytest.mark.parametrize(("make", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
@pytest.mark.parametrize("function", [wire.to_json, wire.dump_bytes, lambda value: wire.check(type(value), value)])
def test_what_does_not_fit_is_refused_with_its_place(make, message: str, function):
    with pytest.raises(PayloadError, match=message):
        function(make())


def test_json_nested_without_end_is_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(PayloadError, match="nested more than 64 levels"):
        wire.to_json(Slot(name="a", value=endless))


def test_a_misspelt_key_gets_a_suggestion():
    with pytest.raises(
        PayloadError, match=r"Feedback\.decison_id: there is no such field\. Did you mean 'decision_id'\?"
    ):
        wire.from_json(Feedback, {"decison_id": "d"})


def test_a_long_value_is_shown_in_part():
    with pytest.raises(PayloadError) as caught:
        wire.from_json(Query, {"limit": "x" * 10_000})
    assert len(str(caught.value)) < 300


def test_many_findings_are_counted():
    with pytest.raises(PayloadError, match=r"\(and \d more\)"):
        wire.from_json(Feedback, {})


def test_another_class_is_refused():
    with pytest.raises(PayloadError, match="expected Reading, got Slot"):
        wire.check(Reading, Slot(name="a", value=1))
    with pytest.raises(PayloadError, match="expected a payload, got dict"):
        wire.to_json({})


def test_lists_and_numpy_floats_of_plugins_are_put_right():
    given_value = Understanding(readings=[Reading(intent="a", confidence=np.float32(0.5))])  # type: ignore[arg-type]
    checked = wire.check(Understanding, given_value)
    assert checked == Understanding(readings=(Reading(intent="a", confidence=0.5),))
    assert type(checked.readings[0].confidence) is float


def test_what_lives_in_one_process_is_checked_but_never_json():
    task = Task(name="intent", learner=dict)
    assert wire.check(Task, task) == task
    with pytest.raises(
        PayloadError, match=r"Task cannot be turned into JSON .*its field 'learner' lives in one process"
    ):
        wire.dump_bytes(task)
    with pytest.raises(PayloadError, match="Task cannot be turned into JSON"):
        wire.from_json(Task, {"name": "intent"})
    with pytest.raises(PayloadError, match=r"Task\.learner: .*callable"):
        wire.check(Task, Task(name="intent", learner=3))  # type: ignore[arg-type]


def test_an_instance_is_not_json():
    with pytest.raises(PayloadError, match="got an instance; use check"):
        wire.from_json(Reading, Reading(intent="a", confidence=0.5))


def test_a_class_that_is_no_payload_is_refused():
    with pytest.raises(PayloadError, match="Place is no payload class"):
        wire.check(Place, Place())


def test_plain_types_are_checked_too():
    assert wire.check(str, "text") == "text"
    with pytest.raises(PayloadError, match="expected str, got int"):
        wire.check(str, 5)

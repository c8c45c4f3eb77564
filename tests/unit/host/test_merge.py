"""What several plugins understood becomes one understanding."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rejoinder.host.merge import merge_understandings
from rejoinder.payloads import Entity, Reading, Slot, Span, Understanding

CONFIDENCES = st.floats(0.0, 1.0)
READINGS = st.builds(
    Reading,
    intent=st.sampled_from("abc"),
    confidence=CONFIDENCES,
    task=st.sampled_from(["intent", "mood"]),
    source=st.sampled_from("xy"),
)
SPANS = st.none() | st.builds(Span, start=st.just(0), end=st.integers(0, 2))
ENTITIES = st.builds(
    Entity, name=st.sampled_from("ab"), value=st.sampled_from("uv"), span=SPANS, confidence=CONFIDENCES
)
SLOTS = st.builds(Slot, name=st.sampled_from("ab"), value=st.integers(0, 3), confidence=CONFIDENCES)
UNDERSTANDINGS = st.builds(
    Understanding,
    readings=st.lists(READINGS, max_size=3).map(tuple),
    entities=st.lists(ENTITIES, max_size=3).map(tuple),
    slots=st.lists(SLOTS, max_size=3).map(tuple),
    language=st.none() | st.sampled_from(["en", "de"]),
    in_scope=st.none() | CONFIDENCES,
)
MANY = st.lists(UNDERSTANDINGS, max_size=4)


def confidences(merged: Understanding) -> tuple[Any, ...]:
    """Return what does not depend on who wins a tie."""
    return (
        {(one.task, one.intent): one.confidence for one in merged.readings},
        {(one.name, one.span, "" if one.span else one.value): one.confidence for one in merged.entities},
        {one.name: one.confidence for one in merged.slots},
        merged.in_scope,
    )


@given(MANY)
def test_merging_again_changes_nothing(many: list[Understanding]) -> None:
    merged = merge_understandings(many)

    assert merge_understandings([merged]) == merged
    assert merge_understandings([merged, merged]) == merged


@given(MANY, st.randoms(use_true_random=False))
def test_order_decides_ties_only(many: list[Understanding], random: Any) -> None:
    shuffled = random.sample(many, len(many))

    assert confidences(merge_understandings(shuffled)) == confidences(merge_understandings(many))


@given(MANY, MANY)
def test_merging_in_two_steps_is_merging_at_once(some: list[Understanding], others: list[Understanding]) -> None:
    in_steps = merge_understandings([merge_understandings(some), merge_understandings(others)])

    assert confidences(in_steps) == confidences(merge_understandings([*some, *others]))


@given(MANY)
def test_the_surest_come_first_and_only_once(many: list[Understanding]) -> None:
    merged = merge_understandings(many)

    sure = [one.confidence for one in merged.readings]
    assert sure == sorted(sure, reverse=True)
    assert len({(one.task, one.intent) for one in merged.readings}) == len(merged.readings)


def test_earlier_wins_a_tie() -> None:
    first = Understanding(readings=(Reading(intent="a", confidence=0.5, source="first"),), language="en")
    second = Understanding(readings=(Reading(intent="a", confidence=0.5, source="second"),), language="de")

    merged = merge_understandings([first, second])

    assert (merged.readings[0].source, merged.language) == ("first", "en")


def test_near_ties_of_different_intents_stay_visible() -> None:
    readings = (Reading(intent="a", confidence=0.5), Reading(intent="b", confidence=0.49))

    assert merge_understandings([Understanding(readings=readings)]).readings == readings


def test_a_title_is_kept_when_the_surer_reading_has_none() -> None:
    titled = Understanding(readings=(Reading(intent="a", confidence=0.1, title="About a"),))
    surer = Understanding(readings=(Reading(intent="a", confidence=0.9),))

    (reading,) = merge_understandings([titled, surer]).readings

    assert (reading.confidence, reading.title) == (0.9, "About a")


def test_model_versions_of_earlier_plugins_win() -> None:
    merged = merge_understandings(
        [Understanding(model_versions={"a": "1"}), Understanding(model_versions={"a": "2", "b": "2"})]
    )

    assert merged.model_versions == {"a": "1", "b": "2"}

"""What people's word on an answer from a document teaches ranker and reader."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("bm25s", reason="needs the extra rejoinder[documents]")

from rejoinder.models.tasks.targets import answers_of
from rejoinder.models.training.objectives.reinforce import propensity_of
from rejoinder.payloads import Candidate, Decision, Example, Feedback
from rejoinder_plugins.documents import DocumentsPlugin
from rejoinder_plugins.documents.lessons import answer_id

from tests.unit.plugins.test_documents import TEXT, Documents, Models, a_context, passage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def taught(kind: Any, value: Any, *, words: str | None = "five days", propensity: float = 1.0) -> list[Example]:
    """What one feedback on the passage's answer comes to, through both hooks."""
    context = a_context(Documents(passage()), Models(words))
    chosen = answer_id(passage())
    decision = Decision(
        id="d",
        kind="turn",
        task="intent",
        at=NOON,
        input="when are refunds paid",
        user_id="ana",
        candidates=(Candidate(id=chosen, score=0.9, propensity=propensity),),
        chosen=(chosen,),
        answer="Refunds are paid within five days of the return.",
    )
    feedback = Feedback(id="f", decision_id="d", kind=kind, value=value, user_id="ana", at=NOON)
    plugin = DocumentsPlugin()
    rewards = plugin.score_feedback(feedback, decision, context)
    return [one for reward in rewards for one in await plugin.make_examples(reward, feedback, decision, context)]


@pytest.mark.parametrize(("value", "label", "polarity"), [(1, "yes", "positive"), (-1, "no", "negative")])
async def test_a_thumb_teaches_the_ranker_a_pair_and_the_reader_by_one_bit(value: int, label: str, polarity: str):
    ranking, reading = await taught("thumbs", value)
    assert (ranking.task, ranking.label, ranking.text) == ("passage_ranking", label, "when are refunds paid")
    assert TEXT in (ranking.other or "")
    assert (reading.task, reading.polarity, reading.other) == ("question_answering", polarity, TEXT)
    ((start, end, _),) = answers_of(reading)
    assert TEXT[start:end] == "five days"
    assert propensity_of(reading) == 1.0, "the best answer is given for sure, however unsure the reader is"


async def test_what_chance_chose_says_how_likely_that_was():
    *_, reading = await taught("thumbs", -1, propensity=0.25)
    assert propensity_of(reading) == 0.25


async def test_a_thumb_on_what_nobody_read_teaches_the_ranker_alone():
    assert [one.task for one in await taught("thumbs", 1, words=None)] == ["passage_ranking"]


async def test_a_corrected_span_teaches_its_place():
    *_, reading = await taught("corrected_answer", "until eight")
    assert (reading.task, reading.polarity) == ("question_answering", "correction")
    ((start, end, _),) = answers_of(reading)
    assert TEXT[start:end] == "until eight"
    assert propensity_of(reading) == 1.0, "it is right, whoever said it first"

"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Citation, Decision, Example, Feedback, Query, Reward, Span, Task
from rejoinder.wording import filled, named_in

from rejoinder_plugins.documents.finding import RANKING, FoundPassage, find
from rejoinder_plugins.documents.lessons import SOURCE, answer_id, examples_of, parsed
from rejoinder_plugins.documents.reading import READING, Extract, read
from rejoinder_plugins.documents.settings import DocumentsSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner

_LEAST_SCORE = 0.02
"""Passages scored below this are not worth offering to anyone."""


def _passage_ranker() -> Learner:
    from rejoinder.documents.ranker import PassageRanker

    return PassageRanker()


def _reader() -> Learner:
    from rejoinder.models.tasks.question_answering import QuestionAnswering

    return QuestionAnswering()


class DocumentsPlugin:
    """Answers from a tenant's documents: found by words, meaning and entities, reranked, read, cited, and learned from."""

    rejoinder_spec = ">=1.0,<2"
    settings = DocumentsSettings

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the tasks "passage_ranking" and "question_answering"."""
        return [
            Task(
                name=RANKING,
                learner=_passage_ranker,
                labels=("yes", "no"),
                description="Whether a passage answers a question.",
            ),
            Task(name=READING, learner=_reader, description="Which part of a passage answers a question, if any."),
        ]

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Start to load the tenant's passages; returns at once."""
        if context.documents is not None:
            await context.documents.index(wait_s=0.0)

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Free the tenant's passages."""
        if context.documents is not None:
            context.documents.forget()

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the passages that answer a message, each with the citation that points at it."""
        text = (query.text or "").strip()
        if query.kind != "reply" or not text:
            return []
        settings: DocumentsSettings = context.settings
        found = await find(text, context, limit=min(query.limit, settings.max_answers))
        found = [one for one in found if one.probability * settings.max_score >= _LEAST_SCORE]
        extracts = [await read(text, one.passage, context) for one in found[:1]]
        extracts += [Extract(start=0, end=len(one.passage.text)) for one in found[1:]]
        slots = named_in(query)
        return [_answer(*pair, settings, slots) for pair in zip(found, extracts, strict=True)]

    @hookimpl(trylast=True, before=("dialogue",))
    async def rank_answers(self, query: Query, answers: tuple[Answer, ...], context: Context) -> list[Answer]:
        """Leave out what the store does not have any more, whatever this process has in memory."""
        documents = context.documents
        if documents is None:
            return list(answers)
        kept = []
        for answer in answers:
            place = parsed(answer.id) if answer.source == SOURCE else None
            if place is None or await documents.is_current(place[0], place[2]):
                kept.append(answer)
        return kept

    @hookimpl()
    def score_feedback(self, feedback: Feedback, decision: Decision, context: Context) -> list[Reward]:
        """Give a reward for an answer from documents."""
        settings: DocumentsSettings = context.settings
        weight = settings.weight_of(feedback.role)
        ours = bool(decision.chosen) and parsed(decision.chosen[0]) is not None
        if decision.kind != "turn" or feedback.about not in ("whole", "answer"):
            return []
        match feedback.kind:
            case "corrected_answer" if isinstance(feedback.value, str) and feedback.value.strip():
                right = feedback.value.strip()
                same = decision.answer is not None and right == decision.answer.strip()
                return [
                    _reward(1.0 if same else 0.0, weight, "answer confirmed" if same else "answer corrected", right)
                ]
            case "thumbs" if ours and feedback.value in (1, -1):
                return [_reward(float(feedback.value == 1), weight, "thumbs")]
            case "rating" if ours and isinstance(feedback.value, int) and 1 <= feedback.value <= 5:
                return [_reward((feedback.value - 1) / 4, weight, f"rated {feedback.value} of 5")]
            case _:
                return []

    @hookimpl()
    async def make_examples(
        self, reward: Reward, feedback: Feedback, decision: Decision, context: Context
    ) -> list[Example]:
        """Give what was learned of the passage that was cited, or of the one that a correction quotes."""
        if reward.task != RANKING or reward.weight <= 0:
            return []
        return await examples_of(reward, feedback, decision, context)


def _answer(found: FoundPassage, extract: Extract, settings: DocumentsSettings, slots: dict[str, str]) -> Answer:
    passage = found.passage
    quote = passage.text[extract.start : extract.end]
    return Answer(
        id=answer_id(passage),
        text=filled(quote, {**slots, **settings.values}) if passage.kind == "reply" else quote,
        score=min(1.0, max(0.0, found.probability * extract.confidence)) * settings.max_score,
        source=SOURCE,
        citations=(
            Citation(
                source=passage.document_id,
                title=" > ".join(passage.headings) or passage.title,
                url=passage.url,
                quote=quote,
                span=Span(start=passage.start + extract.start, end=passage.start + extract.end),
            ),
        ),
    )


def _reward(value: float, weight: float, reason: str, correction: str | None = None) -> Reward:
    return Reward(
        task=RANKING, value=value, weight=weight, reason=f"{reason}: passage", about="answer", correction=correction
    )

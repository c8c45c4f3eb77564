"""The questions a day that a tenant's people are asked to label, and what becomes of their answers.

They are chosen from what customers asked in the last days (`rejoinder.learning.review_choice`): no text that is kept back from models,
that somebody labelled or was asked about before, or whose author does not want to be learned from. People see what models see, the
redacted text. An answer is feedback like any other (`corrected_intent`), so that it counts from the next message on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import AccessError, ConflictError, InvalidInputError
from rejoinder.learning.holdback import held_back
from rejoinder.learning.review_choice import choose_questions, doubts
from rejoinder.learning.standing import STAFF
from rejoinder.payloads import Caller, payload
from rejoinder.privacy.consent import users_to_learn_from
from rejoinder.privacy.settings import privacy_of
from rejoinder.store.questions import AskedQuestion, asked_questions
from rejoinder.store.review import PickedQuestion, close_review_item, get_review_item, picked_since, replace_picked

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.learning.feedback import FeedbackResult
    from rejoinder.models.learner import FloatArray, Prediction

__all__ = [
    "TASK",
    "Guess",
    "ReviewQuestion",
    "answer_question",
    "checked_label",
    "learnable_questions",
    "pick_questions",
    "questions_of_today",
    "refuse_customers",
    "skip_question",
]

TASK: Final = "intent"

WINDOW: Final = timedelta(days=7)
"""How far back questions are chosen from."""

_LONGEST_LABEL: Final = 200
_MOST_ASKED: Final = 5000
_MOST_COMPARED: Final = 2000
"""Different texts of which the best are chosen: the time to compare them grows with the square of their number."""


@payload
class Guess:
    """A label that the model finds likely, with its probability in [0, 1]."""

    label: str
    confidence: float


@payload
class ReviewQuestion:
    """A question to be labelled.

    Attributes:
        id: of the item, to answer or skip it by.
        text: what a customer asked, redacted.
        guesses: what the model makes of it now, best first; () where there is no model yet.
        in_scope: the probability in [0, 1] that it is about anything the model knows; None where there is no model yet.
    """

    id: str
    decision_id: str
    text: str
    guesses: tuple[Guess, ...] = ()
    in_scope: float | None = None


async def questions_of_today(application: Application, tenant: str) -> tuple[ReviewQuestion, ...]:
    """Return the questions of this day (UTC) that wait for an answer, the most useful first.

    `learning.review_per_day` are chosen when it is first asked for them, and while there were fewer, others are added as they come.

    Raises:
        NotFoundError: there is no such tenant, or it is disabled.
    """
    await pick_questions(application, tenant)
    picked = await picked_since(application.database, tenant, _day(application.clock()))
    waiting = [one for one in picked if one.item.state == "open"]
    said = await application.models.predictions(tenant, TASK, [one.text for one in waiting])
    return tuple(_question(one, None if said is None else said[place]) for place, one in enumerate(waiting))


async def pick_questions(application: Application, tenant: str) -> int:
    """Choose questions until this day has as many as it should; return how many were added."""
    database, now = application.database, application.clock()
    today, most = _day(now), application.settings.learning.review_per_day
    picked = await picked_since(database, tenant, today)
    missing = most - len(picked)
    if missing <= 0:
        return 0
    every = application.models.hold_back_every
    recent = await learnable_questions(application, tenant, since=now - WINDOW, limit=_MOST_ASKED)
    asked = _to_choose_from(recent, every, {_plain(one.text) for one in picked})
    if not asked:
        return 0
    texts = [one.text for one in asked]
    vectors = await application.models.loader.encode_texts(tenant, texts)
    said = await application.models.predictions(tenant, TASK, texts)
    chosen = await asyncio.to_thread(_chosen, vectors, said, missing)
    ids = [asked[row].decision_id for row in chosen]
    return await replace_picked(database, tenant, ids, since=today, at=now, most=most)


async def answer_question(
    application: Application, tenant: str, caller: Caller, item_id: str, label: str
) -> FeedbackResult:
    """Say what a question is; it is learned when this returns, as all feedback is.

    Raises:
        AccessError: the caller is a customer.
        InvalidInputError: the label cannot be used.
        NotFoundError: the tenant has no such question.
        ConflictError: it was answered otherwise, or skipped, before.
    """
    refuse_customers(caller)
    label = checked_label(label)
    item, _ = await get_review_item(application.database, tenant, item_id)
    if item.state == "skipped":
        raise ConflictError(f"the question {item_id!r} was skipped by {item.reviewed_by}")
    result = await application.feedback.give(
        tenant,
        caller,
        decision_id=item.decision_id,
        kind="corrected_intent",
        value=label,
        about="intent",
        idempotency_key=f"review:{item_id}",
    )
    await close_review_item(application.database, tenant, item_id, "answered", by=caller.id, at=application.clock())
    return result


async def skip_question(application: Application, tenant: str, caller: Caller, item_id: str) -> None:
    """Say that a question cannot be labelled; it is not asked again.

    Raises:
        AccessError: the caller is a customer.
        NotFoundError: the tenant has no such question.
        ConflictError: it was answered before.
    """
    refuse_customers(caller)
    await close_review_item(application.database, tenant, item_id, "skipped", by=caller.id, at=application.clock())


async def learnable_questions(
    application: Application, tenant: str, *, since: datetime, limit: int
) -> list[AskedQuestion]:
    """Return what was asked since a moment, newest first, by people who may be learned from."""
    asked = await asked_questions(application.database, tenant, TASK, since=since, limit=limit)
    rules = privacy_of((await application.tenants.served(tenant)).settings)
    users = sorted({one.user_id for one in asked if one.user_id})
    willing = await users_to_learn_from(application.database, tenant, users, rules)
    return [one for one in asked if one.user_id in willing]


def checked_label(label: str) -> str:
    """Return a label without white space around it.

    Raises:
        InvalidInputError: it is empty, too long, or holds a control character.
    """
    bare = label.strip()
    if not bare or len(bare) > _LONGEST_LABEL or not bare.isprintable():
        raise InvalidInputError(f"label: it must have 1 to {_LONGEST_LABEL} characters that can be printed")
    return bare


def refuse_customers(caller: Caller) -> None:
    """Let pass only those who may say what other people's questions are.

    Raises:
        AccessError: the caller is not of the staff.
    """
    if caller.role not in STAFF:
        raise AccessError(f"the role {caller.role!r} may not label what others asked; {', '.join(STAFF)} may")


def _to_choose_from(recent: Sequence[AskedQuestion], every: int, picked: Collection[str]) -> list[AskedQuestion]:
    """Return the newest question of each text that is worth asking about."""
    found: dict[str, AskedQuestion] = {}
    settled = {_plain(one.text) for one in recent if one.settled}
    for one in recent:
        text = _plain(one.text)
        if text and text not in settled and text not in picked and not held_back(one.text, every):
            found.setdefault(text, one)
    return list(found.values())[:_MOST_COMPARED]


def _chosen(vectors: FloatArray, said: Sequence[Prediction] | None, limit: int) -> list[int]:
    doubt = np.ones(len(vectors)) if said is None else doubts(said)
    return choose_questions(vectors, doubt, limit)


def _question(picked: PickedQuestion, said: Prediction | None) -> ReviewQuestion:
    guesses = () if said is None else tuple(Guess(label=label, confidence=share) for label, share in said.ranking)
    return ReviewQuestion(
        id=picked.item.id,
        decision_id=picked.item.decision_id,
        text=picked.text,
        guesses=guesses,
        in_scope=None if said is None else said.in_scope,
    )


def _day(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())

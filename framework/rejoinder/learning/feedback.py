"""Feedback, from the person to the models: validated, redacted, scored, stored, and learned from before it is acknowledged.

validate -> redact -> score_feedback -> make_examples -> weigh by trust -> commit -> learn at once

Of what one person says of one part of a decision in one way, the last counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import get_args

import orjson

from rejoinder.context import Clock, Request, utc_now
from rejoinder.errors import ConflictError, EncoderBusyError, InvalidInputError, NotFoundError, did_you_mean
from rejoinder.host import Host
from rejoinder.learning.holdback import held_back
from rejoinder.learning.live import LiveModels
from rejoinder.learning.rewards import merge_rewards
from rejoinder.learning.standing import STAFF, Standing, claim_of, over_limit, stand
from rejoinder.learning.triggers import Triggers
from rejoinder.learning.user_trust import ModelWitness
from rejoinder.payloads import Caller, Decision, Example, Feedback, FeedbackKind, Json, Part, Reward, payload
from rejoinder.privacy.consent import may_learn_from
from rejoinder.privacy.settings import privacy_of
from rejoinder.settings import LearningSettings
from rejoinder.store.database import Database
from rejoinder.store.feedback import (
    FeedbackSituation,
    ScoredFeedback,
    StoredFeedback,
    feedback_situation,
    find_by_key,
    record_feedback,
    statement_of,
)
from rejoinder.store.ids import new_id

_MAX_TEXT = 8000
_MOST_SECONDS = 86_400
_MOST_WITNESSES = 10_000
_MOST_LOOKS = 20
"""How often feedback is scored anew since its giver said something else of the same decision at the same moment."""


@payload
class FeedbackResult:
    """What feedback came to.

    Attributes:
        examples: how many examples it became.
        learned: whether a model or memory of this tenant changed.
        repeated: the same feedback had been given before; nothing changed.
        note: what whoever gave it should know, e.g. that a label is new and which one it resembles.
    """

    id: str
    rewards: tuple[Reward, ...] = ()
    examples: int = 0
    learned: bool = False
    repeated: bool = False
    note: str = ""


class FeedbackDesk:
    """Takes the feedback of all tenants."""

    def __init__(
        self,
        database: Database,
        host: Host,
        models: LiveModels,
        *,
        triggers: Triggers,
        settings: LearningSettings | None = None,
        clock: Clock = utc_now,
        on_feedback: Callable[[str, str], None] | None = None,
        on_thumb: Callable[[str, str, bool], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._host = host
        self._models = models
        self._triggers = triggers
        self._settings = settings or LearningSettings()
        self._clock = clock
        self._on_feedback = on_feedback
        self._on_thumb = on_thumb
        self._witnesses: dict[tuple[str, str], ModelWitness] = {}

    async def give(
        self,
        tenant: str,
        caller: Caller,
        *,
        decision_id: str,
        kind: FeedbackKind,
        value: Json,
        about: Part = "whole",
        index: int | None = None,
        idempotency_key: str | None = None,
    ) -> FeedbackResult:
        """Take feedback on a decision; it is durable and learned when this returns.

        Args:
            value: see `rejoinder.payloads.Feedback`.
            idempotency_key: the same feedback with the same key counts once.
        Raises:
            InvalidInputError: the value does not fit the kind.
            NotFoundError: there is no such decision, or it was put before another user or tenant.
            ConflictError: the key was used for other feedback, or too much is said of the decision at the same time.
            RedactionError: a text could not be redacted; nothing was stored.
        """
        value = _valid(kind, value)
        request = await self._models.request_for(tenant, caller)
        if isinstance(value, str):
            value = await self._host.redact_text(value, "train", request)
        asked = [decision_id, kind, value, about, index, caller.id]
        request_hash = hashlib.sha256(orjson.dumps(asked)).hexdigest()
        for _ in range(_MOST_LOOKS):
            now = self._clock()
            situation = await feedback_situation(self._database, tenant, decision_id, caller.id, at=now)
            decision = situation.decision
            if caller.role == "customer" and decision.user_id != caller.id:
                raise NotFoundError(f"there is no decision {decision_id!r}")
            if idempotency_key is not None:
                earlier = await find_by_key(self._database, tenant, idempotency_key, request_hash)
                if earlier is not None:
                    return _repeated(earlier)
            given = Feedback(
                id=new_id("fb"),
                decision_id=decision_id,
                kind=kind,
                value=value,
                user_id=caller.id,
                at=now,
                role=caller.role,
                about=about,
                index=index,
            )
            result = await self._record(tenant, given, situation, request, idempotency_key, request_hash)
            if result is not None:
                return result
        raise ConflictError(
            f"{caller.id!r} says too many things of the decision {decision_id!r} at the same time: send them one after another"
        )

    async def _record(
        self,
        tenant: str,
        given: Feedback,
        situation: FeedbackSituation,
        request: Request,
        idempotency_key: str | None,
        request_hash: str,
    ) -> FeedbackResult | None:
        """Score, store and learn from feedback; None: its giver said something else of the decision meanwhile, and nothing was stored."""
        decision = situation.decision
        repeats = tuple(one for one in situation.earlier if _same_part(one.feedback, given))
        standing = await self._standing(tenant, given, replace(situation, earlier=repeats))
        rewards, examples = await self._score(given, decision, request)
        rewards, examples = standing.rewards(rewards), standing.examples(examples)
        learned_from = [] if standing.set_aside else examples
        if standing.ignored:
            repeats = ()
        replaced = await self._examples_of(repeats, decision, request)
        scored = ScoredFeedback(
            feedback=given,
            rewards=rewards,
            examples=examples,
            overruled={one.feedback.id: [_overruled(reward) for reward in one.rewards or ()] for one in repeats},
            aside=[*replaced, *(example.id for example in examples if standing.set_aside)],
            statements=standing.evidence,
            take_back=standing.fell,
        )
        recorded = await record_feedback(
            self._database,
            tenant,
            scored,
            seen=situation.spoken,
            held_back=self._held_back,
            idempotency_key=idempotency_key,
            request_hash=request_hash,
        )
        if recorded is None:
            return None
        stored, taken_back = recorded
        if not stored.is_new:
            return _repeated(stored)
        if self._on_feedback is not None:
            self._on_feedback(tenant, given.kind)
        if self._on_thumb is not None and given.kind == "thumbs" and given.role == "customer":
            await self._on_thumb(tenant, given.decision_id, given.value > 0)
        await self._models.take_back(tenant, [*taken_back, *replaced])
        note = await self._note(tenant, given, decision.task)
        try:
            learned = await self._models.learn(tenant, learned_from)
        except EncoderBusyError:
            learned = False  # it is stored, and learned when the store is looked at next
        self._triggers.note(tenant, learned_from)
        if self._models.has_canary(tenant):
            await self._models.review_trials(tenant)
        return FeedbackResult(id=given.id, rewards=rewards, examples=len(examples), learned=learned, note=note)

    async def _note(self, tenant: str, given: Feedback, task: str) -> str:
        """Say so when a correction brings a label that was not there: it may be new, or mistyped."""
        known = await self._models.labels(tenant, task) if given.kind == "corrected_intent" else frozenset()
        if not known or given.value in known:
            return ""
        return f"{given.value!r} is a new {task}.{did_you_mean(str(given.value), known)}"

    async def _standing(self, tenant: str, given: Feedback, situation: FeedbackSituation) -> Standing:
        """Return what a feedback counts for."""
        if given.role in STAFF:
            return Standing()
        limit = over_limit(situation, self._settings) if given.role == "customer" else ""
        if limit:
            return Standing(factor=0.0, reason=limit)
        if not self._settings.user_trust:
            return Standing()
        claim, opinion, other = claim_of(given, situation.decision), None, None
        if claim is not None and not situation.earlier:
            opinion = await self._models.opinion(tenant, claim.task, claim.text)
            if opinion is not None and opinion.match is not None:
                other = await statement_of(self._database, tenant, opinion.match.id)
                if other.user_id == given.user_id:
                    other = None
        if len(self._witnesses) > _MOST_WITNESSES:
            self._witnesses.clear()
        task = situation.decision.task if claim is None else claim.task
        witness = self._witnesses.setdefault((tenant, task), ModelWitness())
        return stand(given, situation, claim, opinion, other, witness)

    async def _examples_of(
        self, repeats: tuple[StoredFeedback, ...], decision: Decision, request: Request
    ) -> list[str]:
        """Return the ids of the examples that were made of earlier feedback: they follow from it."""
        return [
            example.id
            for one in repeats
            for reward in one.rewards or ()
            for example in await self._host.make_examples(reward, one.feedback, decision, request)
        ]

    def _held_back(self, example: Example) -> bool:
        return held_back(example.text, self._models.hold_back_every)

    async def _score(
        self, given: Feedback, decision: Decision, request: Request
    ) -> tuple[tuple[Reward, ...], list[Example]]:
        rewards = merge_rewards(await self._host.score_feedback(given, decision, request))
        made: dict[str, Example] = {}
        for reward in rewards:
            for example in await self._host.make_examples(reward, given, decision, request):
                made[example.id] = example
        rules = privacy_of(request.settings)
        if made and not await may_learn_from(self._database, request.tenant, given, decision, rules):
            made = {}
        return rewards, list(made.values())


def _same_part(earlier: Feedback, later: Feedback) -> bool:
    """Return whether the later replaces the earlier: the same way of saying something of the same part of a decision."""
    return (_way(earlier), earlier.about, earlier.index) == (_way(later), later.about, later.index)


def _way(given: Feedback) -> str:
    match given.kind:
        case "thumbs" | "rating":
            return "judgement"
        case "corrected_intent" | "chosen":
            return "label"
        case "behaviour":
            return f"behaviour {given.value}"
        case kind:
            return kind


def _overruled(reward: Reward) -> Reward:
    return replace(reward, weight=0.0, reason=f"{reward.reason}; replaced by what the same person said later")


def _repeated(stored: StoredFeedback) -> FeedbackResult:
    return FeedbackResult(id=stored.feedback.id, rewards=stored.rewards or (), repeated=True)


def _valid(kind: FeedbackKind, value: Json) -> Json:
    """Return the value as it is stored; raise InvalidInputError when it does not fit the kind."""
    kinds = get_args(FeedbackKind)
    if kind not in kinds:
        hint = did_you_mean(str(kind), kinds)
        raise InvalidInputError(f"there is no feedback kind {kind!r}.{hint} The kinds are: {', '.join(kinds)}")
    if kind == "thumbs":
        if value not in (1, -1) or isinstance(value, bool):
            raise InvalidInputError(f"thumbs: value must be 1 (up) or -1 (down), not {value!r}")
        return int(value)
    if kind == "rating":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
            raise InvalidInputError(f"rating: value must be a whole number from 1 to 5, not {value!r}")
        return value
    if kind == "dwell":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST_SECONDS:
            raise InvalidInputError(f"dwell: value must be seconds from 0 to {_MOST_SECONDS}, not {value!r}")
        return float(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{kind}: value must be a text that is not empty, not {value!r}")
    if len(value) > _MAX_TEXT:
        raise InvalidInputError(f"{kind}: the text has {len(value)} characters, at most {_MAX_TEXT} are allowed")
    if "\x00" in value:
        raise InvalidInputError(f"{kind}: the text holds a NUL character: remove it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{kind}: the text is not valid Unicode at character {error.start}") from error
    return value.strip()

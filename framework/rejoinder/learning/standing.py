"""What one feedback counts for: how far the person is trusted, whether others said the same, and how much they said lately.

Beyond the limits of `LearningSettings`, feedback is kept and counts for nothing, rather than to be refused: the person sees no error that
is none of theirs, nothing is lost to whoever looks into it, and raising the limit needs no new feedback. Only customers are weighed;
agents, analysts and admins are people to whom the tenant gave a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rejoinder.learning.user_trust import (
    FLOOR,
    ModelWitness,
    UserTrust,
    chance_right,
    factor_of,
    people_evidence,
)
from rejoinder.payloads import Decision, Example, Feedback, Reward

if TYPE_CHECKING:
    from rejoinder.learning.live_task import Opinion
    from rejoinder.settings import LearningSettings
    from rejoinder.store.feedback import FeedbackSituation, Statement

STAFF: Final = ("agent", "analyst", "admin")

_GOOD_STARS: Final = 4
_BAD_STARS: Final = 2
_SECOND_HAND: Final = 0.5
"""How much of a statement it counts for whoever said something earlier, when somebody else speaks of the same text."""


class Claim(NamedTuple):
    """What a feedback says of a text: that it has a label, or (`right` False) that it has not."""

    task: str
    text: str
    label: str
    right: bool
    named: bool
    """The person named the label, rather than to judge the one that the bot gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a feedback counts for.

    Attributes:
        factor: what its weights are multiplied by, in [0, 1].
        reason: why, in words; "" where it counts in full.
        set_aside: its examples are kept and teach nothing.
        evidence: by user, with what chance a statement of theirs is right, and how much of a statement that is.
        trusted: trust in the person after this; None where it is not weighed.
        fell: the trust fell below the floor with this very feedback.
    """

    factor: float = 1.0
    reason: str = ""
    set_aside: bool = False
    evidence: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trusted: UserTrust | None = None
    fell: bool = False

    @property
    def ignored(self) -> bool:
        """Whether it counts for nothing: neither does it replace what the person said before."""
        return self.factor == 0.0 and not self.set_aside

    def rewards(self, rewards: tuple[Reward, ...]) -> tuple[Reward, ...]:
        """Return rewards as they count."""
        if not self.reason:
            return rewards
        return tuple(
            replace(one, weight=one.weight * self.factor, reason=f"{one.reason}; {self.reason}") for one in rewards
        )

    def examples(self, examples: list[Example]) -> list[Example]:
        """Return examples as they count; none of a feedback that counts for nothing."""
        if self.ignored:
            return []
        factor = 1.0 if self.set_aside else self.factor
        return [replace(one, weight=one.weight * factor) for one in examples]


def claim_of(given: Feedback, decision: Decision) -> Claim | None:
    """Return what a feedback says of the decision's text; None where it says nothing that others could confirm."""
    task = "intent" if decision.kind == "turn" else decision.task
    text, said = decision.input, given.value
    if not text.strip():
        return None
    if given.kind in ("corrected_intent", "chosen"):
        return Claim(task, text, label_of(decision, said), True, True)
    if given.kind == "corrected_answer":
        return Claim("answer", text, said, True, True)
    if decision.label is None or given.kind not in ("thumbs", "rating"):
        return None
    if given.kind == "rating":
        said = 1 if said >= _GOOD_STARS else -1 if said <= _BAD_STARS else 0
    return Claim(task, text, decision.label, said > 0, False) if said else None


def label_of(decision: Decision, chosen: str) -> str:
    """Return the label of a candidate that is named by its id or label."""
    found = next((one for one in decision.candidates if chosen in (one.id, one.label)), None)
    return chosen if found is None or found.label is None else found.label


def over_limit(situation: FeedbackSituation, settings: LearningSettings) -> str:
    """Return which limit a person is beyond, in words; "" where they are within all of them."""
    limits = (settings.feedback_per_minute, settings.feedback_per_hour, settings.feedback_per_day)
    for said, limit, name in zip(situation.said, limits, ("a minute", "an hour", "a day"), strict=True):
        if limit and said >= limit:
            return f"counts for nothing: more than {limit} in {name} from one person"
    return ""


def stand(
    given: Feedback,
    situation: FeedbackSituation,
    claim: Claim | None,
    opinion: Opinion | None,
    other: Statement | None,
    witness: ModelWitness,
) -> Standing:
    """Return what a feedback of a customer counts for.

    Args:
        claim: what it says of the text.
        opinion: what the models say of the text before they are taught; None where they say nothing.
        other: the nearest remembered statement of somebody else, as `opinion.match` found it; None where there is none.
        witness: the task's model as a witness; it learns.
    """
    trust = UserTrust(*situation.trust)
    evidence: dict[str, tuple[float, float]] = {}
    confirmed = False
    repeated = bool(situation.earlier)
    after = trust
    if claim is not None and opinion is not None and not repeated:
        factors: list[float] = []
        rank = None
        if claim.named and claim.right and opinion.labels > 2 and claim.label in opinion.known:
            rank = witness.rank(opinion.ranking, claim.label)
        if rank is not None:
            factors.append(witness.evidence(rank, opinion.labels))
        same = None
        if other is not None and opinion.match is not None:
            labels = opinion.labels if claim.named else 2
            same = (opinion.match.label == claim.label) == claim.right
            sure = opinion.match.trust
            if same or opinion.labels:  # two answers in other words do not contradict one another
                factors.append(people_evidence(same=same, sureness=sure * other.trust.value, labels=max(2, labels)))
                confirmed = same and other.trust.value >= FLOOR
                theirs = chance_right(
                    other.trust.value, [people_evidence(same=same, sureness=sure * trust.value, labels=max(2, labels))]
                )
                if other.user_id is not None:
                    evidence[other.user_id] = (theirs, _SECOND_HAND * sure)
        if factors:
            right = chance_right(trust.value, factors)
            evidence[given.user_id] = (right, 1.0)
            after = trust.after(right)
            if rank is not None:
                witness.learn(rank, right)
    fell = trust.value >= FLOOR > after.value
    if confirmed:
        return Standing(evidence=evidence, trusted=after, fell=fell)
    if after.value < FLOOR:
        return Standing(
            factor=factor_of(after.value),
            reason=f"set aside until somebody else says the same: {_about(after)}",
            set_aside=True,
            evidence=evidence,
            trusted=after,
            fell=fell,
        )
    factor = factor_of(after.value)
    reason = "" if factor == 1.0 else f"counts at {factor:.2f}: {_about(after)}"
    return Standing(factor=factor, reason=reason, evidence=evidence, trusted=after)


def _about(trust: UserTrust) -> str:
    return f"this person was right with a chance of {trust.value:.2f}, by {trust.statements:.0f} statements"

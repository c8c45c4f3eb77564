"""What a conversation keeps of questions about companies, in one slot of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rejoinder.payloads import ConversationState, Slot

from rejoinder_finance_sentiment.conversation.periods import Period

__all__ = ["SLOT", "Memory", "Request"]

SLOT: Final = "finance_sentiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question, read.

    Attributes:
        intent: see `intents`.
        keys: the companies that it is about.
        period: None: none was named, here or before.
        text: the words that say the rest, without names and times.
    """

    intent: str
    keys: tuple[str, ...] = ()
    period: Period | None = None
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say."""
        return {
            "intent": self.intent,
            "keys": list(self.keys),
            "period": None if self.period is None else self.period.to_json(),
            "text": self.text,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Request:
        """Return what `to_json` gave."""
        period = kept["period"]
        return cls(
            intent=kept["intent"],
            keys=tuple(kept["keys"]),
            period=None if period is None else Period.from_json(period),
            text=kept["text"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was spoken of.

    Attributes:
        last: the last question that was answered.
        waiting: a question that waits for the name of a company.
        rule: a rule that waits: `keys`, and the `condition` that is to be confirmed; or `remove`: the ids of rules.
        doing: what is being done in this turn, until it is said what came of it.
        alerts: ids of the alerts that were listed last, as they were listed.
        rules: ids of the rules that were listed last.
    """

    last: Request | None = None
    waiting: Request | None = None
    rule: Mapping[str, Any] = field(default_factory=dict)
    doing: str = ""
    alerts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @classmethod
    def of(cls, state: ConversationState) -> Memory:
        """Return what a conversation keeps."""
        slot = state.slots.get(SLOT)
        if slot is None:
            return cls()
        kept = slot.value
        return cls(
            last=None if kept["last"] is None else Request.from_json(kept["last"]),
            waiting=None if kept["waiting"] is None else Request.from_json(kept["waiting"]),
            rule=kept["rule"],
            doing=kept["doing"],
            alerts=tuple(kept["alerts"]),
            rules=tuple(kept["rules"]),
        )

    def kept_in(self, state: ConversationState) -> ConversationState:
        """Return the state with this in it."""
        value = {
            "last": None if self.last is None else self.last.to_json(),
            "waiting": None if self.waiting is None else self.waiting.to_json(),
            "rule": dict(self.rule),
            "doing": self.doing,
            "alerts": list(self.alerts),
            "rules": list(self.rules),
        }
        return replace(state, slots={**state.slots, SLOT: Slot(name=SLOT, value=value)})

"""The language of flows: what a flow, its slots, its steps and its conditions are.

A step is recognised by its first word: `say`, `ask`, `again`, `check`, `branch`, `call`, `confirm`, `flow`, `hand_off` or `end`. After a
step comes the next one of the list, unless its `go` names another; `end` ends the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from rejoinder.errors import did_you_mean
from rejoinder.payloads import Json
from rejoinder.slots.kinds import Identifier, Phrase, Slot

__all__ = [
    "END",
    "STEP_WORDS",
    "Ask",
    "AskAgain",
    "Branch",
    "Call",
    "Case",
    "Check",
    "Condition",
    "Confirm",
    "End",
    "Flow",
    "HandOff",
    "OfSlot",
    "Say",
    "Start",
    "Step",
    "SubFlow",
]

END: Final = "end"
"""The step to `go` to where a flow is to end."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# --- conditions ----------------------------------------------------------------------------------------------------


class OfSlot(_Model):
    """The value of another slot, to compare with."""

    slot: Identifier


Operand = OfSlot | bool | float | str


class Condition(_Model):
    """A comparison of one slot, or several conditions together. A slot that is not filled fits no comparison.

    Example:
        >>> Condition.model_validate({"all": [{"slot": "status", "is_in": ["shipped", "delivered"]}, {"slot": "total", "over": 100}]}).slots
        {'status', 'total'}
    """

    slot: Identifier | None = None
    is_: Operand | None = Field(default=None, alias="is")
    is_not: Operand | None = None
    is_in: tuple[bool | float | str, ...] | None = None
    over: Operand | None = None
    at_least: Operand | None = None
    under: Operand | None = None
    at_most: Operand | None = None
    older_than_days: Annotated[float, Field(ge=0)] | None = None
    filled: bool | None = None
    all_: tuple[Condition, ...] | None = Field(default=None, alias="all")
    any_: tuple[Condition, ...] | None = Field(default=None, alias="any")
    not_: Condition | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Condition:
        groups = [name for name in ("all_", "any_", "not_") if getattr(self, name) is not None]
        if (self.slot is not None and groups) or len(groups) > 1 or (self.slot is None and not groups):
            raise ValueError("a condition either compares one `slot`, or is one of `all`, `any`, `not`")
        if (self.slot is None) != (len(self.comparisons) == 0) or len(self.comparisons) > 1:
            raise ValueError(f"a condition on a slot has exactly one of {', '.join(COMPARISONS)}")
        return self

    @property
    def comparisons(self) -> dict[str, Any]:
        """The comparison of this condition's own slot: its name and operand; empty where it groups others."""
        return {word: value for word, name in COMPARISONS.items() if (value := getattr(self, name)) is not None}

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions that this one groups."""
        return self.all_ or self.any_ or ((self.not_,) if self.not_ is not None else ())

    @property
    def slots(self) -> set[str]:
        """All slots that are looked at."""
        own = {self.slot} if self.slot is not None else set()
        own |= {value.slot for value in self.comparisons.values() if isinstance(value, OfSlot)}
        return own.union(*(part.slots for part in self.parts))


COMPARISONS: Final = {
    "is": "is_",
    "is_not": "is_not",
    "is_in": "is_in",
    "over": "over",
    "at_least": "at_least",
    "under": "under",
    "at_most": "at_most",
    "older_than_days": "older_than_days",
    "filled": "filled",
}
"""The words of comparisons, and the field of each."""


# --- steps ---------------------------------------------------------------------------------------------------------


class _Step(_Model):
    id: Identifier = ""
    go: Identifier | None = None

    @property
    def word(self) -> str:
        """The word by which this kind of step is recognised."""
        return next(word for word, kind in STEP_WORDS.items() if isinstance(self, kind))


class Say(_Step):
    """Say something: `{slot}` in a text becomes the slot's value."""

    say: Text


class Ask(_Step):
    """Ask for a slot, unless it is filled.

    Attributes:
        unread: said when the answer could not be read; by default what the slot's `hint` says.
        most_failures: answers that may be wrong before the conversation goes to a person; by default the plugin's setting.
    """

    ask: Identifier
    text: Text
    unread: Text | None = None
    most_failures: Annotated[int, Field(ge=1, le=10)] | None = None


class Check(_Step):
    """Go on only where a condition holds; otherwise go to another step."""

    check: Condition
    otherwise: Identifier


class AskAgain(_Step):
    """Say why a slot's value cannot be used, empty the slot, and go back to the step that asks for it.

    It counts as an answer that could not be used: after too many the conversation goes to a person.
    """

    again: Identifier
    text: Text | None = None


class Case(_Model):
    """One way out of a branch."""

    when: Condition
    go: Identifier


class Branch(_Step):
    """Go to the step of the first case whose condition holds, else to `otherwise`."""

    branch: Annotated[tuple[Case, ...], Field(min_length=1)]
    otherwise: Identifier | None = None


class Call(_Step):
    """Call the tenant's HTTP API once, and keep parts of the answer in slots.

    Attributes:
        call: method and path, as in `GET /orders/{order_number}`; values are escaped.
        query: parameters after the path; `body`: what is sent as JSON. A text that is nothing but `{slot}` keeps the slot's type.
        save: JSON pointers (RFC 6901) into the answer, by the slot that each fills; what is not there leaves its slot empty.
        failed: the step to go to by status (`404`, `4xx`, `5xx`) or `other`, which also stands for no answer at all; by
            default the bot apologises and hands over to a person.
    """

    call: Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /[^\s?#]*$", max_length=500)]
    query: Mapping[str, str] = Field(default_factory=dict)
    body: Json = None
    save: Mapping[Identifier, Annotated[str, StringConstraints(pattern=r"^(/.*)?$", max_length=200)]] = Field(
        default_factory=dict
    )
    failed: Mapping[
        Annotated[str, BeforeValidator(str), StringConstraints(pattern=r"^([45]\d\d|[45]xx|other)$")], Identifier
    ] = Field(default_factory=dict)
    timeout_s: Annotated[float, Field(ge=0.05, le=20.0)] | None = None
    retries: Annotated[int, Field(ge=0, le=5)] | None = None

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with names of slots in it."""
        return self.call.partition(" ")[2]

    def step_after(self, status: int | None) -> str | None:
        """Return the step to go to after a failure with this status (None: no answer), or None: none was named."""
        if status is not None:
            for name in (str(status), f"{status // 100}xx"):
                if name in self.failed:
                    return self.failed[name]
        return self.failed.get("other")


class Confirm(_Step):
    """Ask whether something is right: on yes go on, on no go to the step `no`."""

    confirm: Text
    no: Identifier
    yes_words: tuple[Phrase, ...] = ()
    no_words: tuple[Phrase, ...] = ()


class SubFlow(_Step):
    """Run another flow, which sees the same slots, and go on after it."""

    flow: Identifier


class HandOff(_Step):
    """Hand the conversation to a person."""

    hand_off: Text
    reason: Text = "the flow says so"


class End(_Step):
    """End the flow, with a last word or none."""

    end: Text | None = None


STEP_WORDS: Final[dict[str, type[_Step]]] = {
    "say": Say,
    "ask": Ask,
    "again": AskAgain,
    "check": Check,
    "branch": Branch,
    "call": Call,
    "confirm": Confirm,
    "flow": SubFlow,
    "hand_off": HandOff,
    "end": End,
}
"""The kinds of steps by the word that stands for each."""


def _made(value: object) -> object:
    """Make a step of what was written, by its word."""
    if not isinstance(value, Mapping):
        return value
    words = [word for word in STEP_WORDS if word in value]
    if len(words) != 1:
        unknown = next((str(key) for key in value if key not in ("id", "go")), "")
        hint = did_you_mean(unknown, STEP_WORDS) if not words else f" It has {' and '.join(words)}."
        raise ValueError(f"a step has exactly one of {', '.join(STEP_WORDS)}.{hint}")
    return STEP_WORDS[words[0]].model_validate(value)


Step = Annotated[
    Say | Ask | AskAgain | Check | Branch | Call | Confirm | SubFlow | HandOff | End, BeforeValidator(_made)
]


# --- flows ---------------------------------------------------------------------------------------------------------


class Start(_Model):
    """What begins a flow: an intent that the tenant's model reads, or words of the message, in this order and close together."""

    intents: tuple[Phrase, ...] = ()
    phrases: tuple[Phrase, ...] = ()


class Flow(_Model):
    """Steps that lead a person to something done.

    Attributes:
        title: what a person would call it, as in "Back to cancelling an order".
        slots: what it fills, by name.
    """

    flow: Identifier
    title: Phrase
    start: Start = Field(default_factory=Start)
    slots: Mapping[Identifier, Slot] = Field(default_factory=dict)
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=500)]

    @field_validator("steps", mode="after")
    @classmethod
    def _every_step_has_an_id(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Give the steps that have none an id: their word and place, as in `say_3`."""
        return tuple(
            step if step.id else step.model_copy(update={"id": f"{step.word}_{place}"})
            for place, step in enumerate(steps, start=1)
        )

    def step(self, name: str) -> Any:
        """Return a step by its id, or None: there is none."""
        place = self._places.get(name)
        return None if place is None else self.steps[place]

    @cached_property
    def _places(self) -> dict[str, int]:
        """The place of each step, by its id; of two steps of one id the first counts."""
        return {step.id: place for place, step in reversed(list(enumerate(self.steps)))}

    def after(self, step: _Step) -> str:
        """Return the id of the step that follows a step; `END` after the last."""
        if step.go is not None:
            return step.go
        place = self._places[step.id] + 1
        return self.steps[place].id if place < len(self.steps) else END

    def ways_on(self, step: Any) -> Iterator[str]:
        """Yield the ids of all steps that can come next; `END` for the end of the flow."""
        match step:
            case End() | HandOff():
                yield END
            case Branch():
                yield from (case.go for case in step.branch)
                if step.otherwise is not None:
                    yield step.otherwise
            case Check():
                yield self.after(step)
                yield step.otherwise
            case AskAgain():
                yield from (one.id for one in self.steps if isinstance(one, Ask) and one.ask == step.again)
            case Confirm():
                yield self.after(step)
                yield step.no
            case Call():
                yield self.after(step)
                yield from step.failed.values()
            case _:
                yield self.after(step)

    def between(self, first: str, last: str) -> list[Any]:
        """Return the steps that lie on some way from one step to another, neither of which is passed twice."""
        before: dict[str, set[str]] = {}
        waiting, seen = [first], set[str]()
        while waiting:
            name = waiting.pop()
            step = self.step(name)
            if name in seen or step is None or (name == last and name != first):
                continue
            seen.add(name)
            for following in self.ways_on(step):
                if following != first:
                    before.setdefault(following, set()).add(name)
                    waiting.append(following)
        on_the_way, waiting = set[str](), [last]
        while waiting:
            for name in before.get(waiting.pop(), set()) - on_the_way:
                on_the_way.add(name)
                waiting.append(name)
        return [step for step in self.steps if step.id in on_the_way - {first, last}]

    @property
    def results(self) -> set[str]:
        """Names of the slots that calls fill."""
        return {name for step in self.steps if isinstance(step, Call) for name in step.save}

    @property
    def known_slots(self) -> set[str]:
        """Names of all slots of this flow: those that people fill, and those that calls fill."""
        return set(self.slots) | self.results

"""What is wrong with flows that are well formed: found before anybody talks to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from rejoinder.errors import did_you_mean
from rejoinder.flows.language import (
    END,
    Ask,
    AskAgain,
    Branch,
    Call,
    Check,
    Condition,
    Confirm,
    End,
    Flow,
    HandOff,
    OfSlot,
    Say,
    SubFlow,
)
from rejoinder.flows.templates import names_in
from rejoinder.slots.kinds import ORDERED

if TYPE_CHECKING:
    from rejoinder.flows.loading import FlowBook

__all__ = ["Finding", "check_flows"]

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where: `place` is `file:line`."""

    flow: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def check_flows(book: FlowBook, *, intents: Collection[str] | None = None) -> list[Finding]:
    """Return what is wrong with flows, in the order in which it stands.

    Found are steps that nothing leads to, that lead nowhere or stand twice, slots and sub-flows that do not exist, slots that
    nothing fills or uses, comparisons that cannot hold, branches with a way missing, loops in which nothing is asked, and
    flows that call one another in a ring.

    Args:
        intents: all that may begin a flow; None: not known, so that none is refused.
    """
    found: list[Finding] = []
    called = _called(book)
    for flow in book.flows.values():
        for path, text in _Check(flow, book, called, intents).problems():
            found.append(Finding(flow.flow, book.place(flow.flow, *path), text))
    return found


class _Check:
    def __init__(
        self, flow: Flow, book: FlowBook, called: Mapping[str, set[str]], intents: Collection[str] | None
    ) -> None:
        self.flow = flow
        self.book = book
        self.called = called
        self.intents = intents
        self.ids = [step.id for step in flow.steps]
        self.slots = self._slots_of(flow.flow)

    def problems(self) -> Iterator[tuple[Place, str]]:
        yield from self._start()
        yield from self._targets()
        for place, step in enumerate(self.flow.steps):
            yield from self._step(("steps", place), step)
        yield from self._dead_steps()
        yield from self._silent_loops()
        yield from self._slots_of_no_use()

    def _start(self) -> Iterator[tuple[Place, str]]:
        start = self.flow.start
        is_called = any(self.flow.flow in names for names in self.called.values())
        if not start.intents and not start.phrases and not is_called:
            yield (
                ("flow",),
                f"nothing starts {self.flow.flow!r}: give it `start.intents` or `start.phrases`, or call it from another flow",
            )
        for place, intent in enumerate(start.intents):
            if self.intents is not None and intent not in self.intents:
                yield ("start", "intents", place), f"unknown intent {intent!r}.{did_you_mean(intent, self.intents)}"

    def _targets(self) -> Iterator[tuple[Place, str]]:
        for place, step in enumerate(self.flow.steps):
            if step.id == END:
                yield ("steps", place, "id"), f"no step can be called {END!r}: that is where a flow ends"
            if step.id in self.ids[:place]:
                yield ("steps", place), f"two steps are called {step.id!r}; rename one"
            for target in self.flow.ways_on(step):
                if target != END and target not in self.ids:
                    yield (
                        ("steps", place),
                        f"there is no step {target!r} to go to.{did_you_mean(target, [*self.ids, END])}",
                    )
            if isinstance(step, End | HandOff) and step.go is not None:
                yield ("steps", place, "go"), f"nothing comes after {step.word!r}; remove `go`"

    def _step(self, place: Place, step: Any) -> Iterator[tuple[Place, str]]:
        match step:
            case Say():
                yield from self._names((*place, "say"), step.say)
            case Ask():
                yield from self._asked((*place, "ask"), step.ask)
                yield from self._names((*place, "text"), step.text)
                yield from self._names((*place, "unread"), step.unread)
            case AskAgain():
                yield from self._asked((*place, "again"), step.again)
                yield from self._names((*place, "text"), step.text)
                if not any(isinstance(one, Ask) and one.ask == step.again for one in self.flow.steps):
                    yield (*place, "again"), f"no step of this flow asks for {step.again!r}"
            case Check():
                yield from self._condition((*place, "check"), step.check)
            case Branch():
                for number, case in enumerate(step.branch):
                    yield from self._condition((*place, "branch", number, "when"), case.when)
                if step.otherwise is None and (missing := self._missing(step)) is not None:
                    yield place, f"this branch has no way on {missing}: add `otherwise`"
            case Call():
                yield from self._names((*place, "call"), step.path)
                yield from self._names((*place, "query"), dict(step.query))
                yield from self._names((*place, "body"), step.body)
                for name in sorted(set(step.save) & set(self.flow.slots)):
                    yield (*place, "save", name), f"{name!r} is a slot that people fill; save under another name"
            case Confirm():
                yield from self._names((*place, "confirm"), step.confirm)
            case HandOff():
                yield from self._names((*place, "hand_off"), step.hand_off)
            case End():
                yield from self._names((*place, "end"), step.end)
            case SubFlow():
                yield from self._sub_flow((*place, "flow"), step.flow)

    def _sub_flow(self, place: Place, name: str) -> Iterator[tuple[Place, str]]:
        if name not in self.book.flows:
            yield place, f"there is no flow {name!r}.{did_you_mean(name, self.book.flows)}"
        elif self.flow.flow in self.called[name]:
            yield place, f"{self.flow.flow!r} and {name!r} call one another without end"

    def _asked(self, place: Place, name: str) -> Iterator[tuple[Place, str]]:
        if name in self.flow.slots:
            return
        if name in self.slots:
            yield place, f"{name!r} is filled by a call or another flow; ask for a slot under `slots` of this one"
        else:
            yield place, f"unknown slot {name!r}.{did_you_mean(name, self.flow.slots)}"

    def _names(self, place: Place, template: Any) -> Iterator[tuple[Place, str]]:
        for name in names_in(template):
            yield from self._known(place, name)

    def _known(self, place: Place, name: str) -> Iterator[tuple[Place, str]]:
        if name not in self.slots:
            yield place, f"unknown slot {name!r}.{did_you_mean(name, self.slots)}"

    def _condition(self, place: Place, condition: Condition) -> Iterator[tuple[Place, str]]:
        for name in sorted(condition.slots):
            yield from self._known(place, name)
        for part in condition.parts:
            yield from self._condition(place, part)
        slot = self.flow.slots.get(condition.slot or "")
        if slot is None:
            return
        for word, operand in condition.comparisons.items():
            if word in ("over", "at_least", "under", "at_most") and slot.type not in ORDERED:
                yield place, f"{word!r} compares numbers, amounts and dates; {condition.slot!r} is a {slot.type}"
            if word == "older_than_days" and slot.type != "date":
                yield place, f"{word!r} looks at dates; {condition.slot!r} is a {slot.type}"
            if slot.type == "choice" and word in ("is", "is_not", "is_in"):
                for value in operand if isinstance(operand, tuple) else (operand,):
                    if not isinstance(value, OfSlot) and value not in slot.choices:
                        hint = did_you_mean(str(value), slot.choices)
                        yield place, f"{condition.slot!r} is never {value!r}.{hint}"

    def _missing(self, step: Branch) -> str | None:
        """Return in words which case a branch without `otherwise` leaves out; None where it leaves out none."""
        slots = {case.when.slot for case in step.branch}
        slot = self.flow.slots.get(next(iter(slots)) or "") if len(slots) == 1 else None
        possible: set[Any] = set(slot.choices) if slot and slot.type == "choice" else set()
        if slot and slot.type == "yes_no":
            possible = {True, False}
        for case in step.branch:
            for word, operand in case.when.comparisons.items():
                if word == "is":
                    possible.discard(operand)
                    continue
                if word == "is_in":
                    possible -= set(operand)
                    continue
                return "where none of its cases holds"
        if slot is None or slot.type not in ("choice", "yes_no"):
            return "where none of its cases holds"
        return f"for {', '.join(sorted(map(str, possible)))}" if possible else None

    def _dead_steps(self) -> Iterator[tuple[Place, str]]:
        reached: set[str] = set()
        waiting = [self.ids[0]]
        while waiting:
            name = waiting.pop()
            step = self.flow.step(name)
            if name in reached or step is None:
                continue
            reached.add(name)
            waiting += self.flow.ways_on(step)
        for place, step in enumerate(self.flow.steps):
            if step.id not in reached:
                yield ("steps", place), f"nothing leads to the step {step.id!r}; remove it, or `go` to it"

    def _silent_loops(self) -> Iterator[tuple[Place, str]]:
        """Find rings of steps in which nothing is asked.

        An `ask` waits the first time only: on the next way round its slot is filled, unless `again` has emptied it.
        """
        silent = {step.id: set(self.flow.ways_on(step)) for step in self.flow.steps if not _waits(step)}
        while True:
            try:
                TopologicalSorter({name: ways & set(silent) for name, ways in silent.items()}).prepare()
            except CycleError as error:
                ring = set(error.args[1])
            else:
                return
            yield (
                ("steps", min(self.ids.index(name) for name in ring)),
                f"the steps {', '.join(sorted(ring))} lead round in a ring in which nothing is asked",
            )
            silent = {name: ways for name, ways in silent.items() if name not in ring}

    def _slots_of(self, name: str) -> set[str]:
        """Return the slots of a flow, of those that it calls, and of those that call it."""
        related = {name, *self.called[name], *(one for one, names in self.called.items() if name in names)}
        return set().union(*(self.book.flows[one].known_slots for one in related if one in self.book.flows))

    def _slots_of_no_use(self) -> Iterator[tuple[Place, str]]:
        asked = {step.ask for step in self.flow.steps if isinstance(step, Ask)}
        used = set(asked)
        for step in self.flow.steps:
            match step:
                case Say():
                    used |= set(names_in(step.say))
                case Call():
                    used |= set(names_in([step.path, dict(step.query), step.body]))
                case Confirm():
                    used |= set(names_in(step.confirm))
                case Check():
                    used |= step.check.slots
                case Branch():
                    used = used.union(*(case.when.slots for case in step.branch))
        called = {step.flow for step in self.flow.steps if isinstance(step, SubFlow)}
        inside = set().union(*(self._slots_of(name) for name in called if name in self.book.flows))
        for name in self.flow.slots:
            if name not in used and name not in inside:
                yield ("slots", name), f"the slot {name!r} is never asked for or used; remove it"


def _waits(step: Any) -> bool:
    """Tell whether a step stops the flow until somebody says something, whatever is known, or ends it."""
    return isinstance(step, AskAgain | Confirm | HandOff | End)


def _called(book: FlowBook) -> dict[str, set[str]]:
    """Return the flows that each flow calls, directly or not."""
    direct = {
        name: {step.flow for step in flow.steps if isinstance(step, SubFlow)} for name, flow in book.flows.items()
    }
    found: dict[str, set[str]] = {}
    for name in direct:
        waiting = list(direct[name])
        found[name] = set()
        while waiting:
            one = waiting.pop()
            if one not in found[name]:
                found[name].add(one)
                waiting += direct.get(one, ())
    return found

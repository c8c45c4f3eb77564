"""One turn of a conversation in which a flow runs, or begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rejoinder.context import Context
from rejoinder.errors import InvalidInputError
from rejoinder.flows import Ask, AskAgain, Branch, Call, Check, Confirm, End, Flow, HandOff, Say, SubFlow
from rejoinder.flows import Slot as SlotKind
from rejoinder.flows.conditions import holds
from rejoinder.flows.language import END
from rejoinder.flows.templates import fill_json, fill_path, fill_query, fill_text, shown
from rejoinder.payloads import (
    Action,
    ConversationState,
    EffectResult,
    FlowFrame,
    Message,
    Option,
    Question,
    Reading,
    Understanding,
)
from rejoinder.slots.formats import problem_with

from rejoinder_plugins.dialogue.choices import chosen
from rejoinder_plugins.dialogue.compose import is_of_a_flow
from rejoinder_plugins.dialogue.decide import merged
from rejoinder_plugins.dialogue.hand_off import calls_for_person, hand_off
from rejoinder_plugins.dialogue.phrases import normalised, says_yes_or_no
from rejoinder_plugins.flows.beside import Part, query_for
from rejoinder_plugins.flows.calls import plan
from rejoinder_plugins.flows.compiled import Compiled
from rejoinder_plugins.flows.memory import Memory
from rejoinder_plugins.flows.settings import FlowsSettings
from rejoinder_plugins.flows.words import asks_about, gives_up, looks_like_question, says_other, yes_or_no

__all__ = ["Turn"]

_MOST_STEPS: Final = 1000
_DEEPEST: Final = 5
"""Flows that may wait for one another."""
_SHORT: Final = 6
"""Words up to which a message that corrects is taken to hold nothing but the right value."""
_BARE: Final = 2
"""Words up to which an answer to a yes-or-no question that is neither is taken so."""
_CORRECTS: Final = frozenset(("no", "wrong", "sorry", "wait", "oops", "actually"))
_ANOTHER: Final = frozenset(("other", "another", "different"))
_FEW: Final = 3
"""Words below which a message that is no question does not change the subject."""


class Turn:
    """What the flows of a tenant make of one message."""

    def __init__(
        self,
        message: Message,
        understanding: Understanding,
        state: ConversationState,
        context: Context,
        compiled: Compiled,
        parts: Sequence[Part] = (),
    ) -> None:
        self.message = message
        self.text = message.raw_text.strip()
        self.understanding = understanding
        self.state = state
        self.context = context
        self.compiled = compiled
        self.settings: FlowsSettings = compiled.settings
        self.stack = list(state.flows)
        self.said: list[str] = []
        self.asks_anew = False
        self.completed = 0
        self.is_declined = False
        """Whether the flow that runs goes to its end since what it would do was not wanted."""
        self.parts = parts
        self.beside: list[Part] = []
        """The parts of the message that are to be answered beside what a flow makes of the others."""

    def decide(self) -> Action | None:
        """Return the action; None where no flow has anything to do with the message."""
        action = self._decide()
        if not self.beside or action is None or action.kind != "flow" or action.again:
            return action
        return replace(action, kind="answer", query=query_for(self.beside, action.state, self.context))

    def _decide(self) -> Action | None:
        step = self._waiting_step()
        if step is None:
            return self._begin()
        if calls_for_person(self.understanding):
            return None  # the dialogue's affair
        self.state = self._merged()
        self._note_beside()
        if isinstance(step, Call):
            return self._called(step)
        return self._answered(step)

    def _note_beside(self) -> None:
        running = {frame.flow for frame in self.stack}
        if any(part.flow in running for part in self.parts):
            self.beside = [part for part in self.parts if part.flow is None]

    def _waiting_step(self) -> Any:
        """Return the step at which a flow waits; None where none does, or a person spoke in between, or the flow has changed since."""
        if not self.stack:
            return None
        steps = [flow.step(frame.step) if (flow := self._flow(frame)) else None for frame in self.stack]
        step = steps[-1]
        if None in steps or not (isinstance(step, Call) or is_of_a_flow(self.state.question)):
            self.stack = []
            return None
        return step

    def _merged(self) -> ConversationState:
        """Return the state with what other plugins read, save what flows read for themselves."""
        own = self.compiled.slot_names
        state = merged(self.state, self.understanding)
        slots = {name: slot for name, slot in state.slots.items() if name not in own}
        return replace(state, slots=slots | {name: slot for name, slot in self.state.slots.items() if name in own})

    # --- begin -----------------------------------------------------------------------------------------------------

    def _begin(self) -> Action | None:
        wanted = self._wanted_by_parts()
        if not wanted and (name := self._wanted(self.settings.start_confidence)) is not None:
            wanted = {name: self.text}
        if not wanted or calls_for_person(self.understanding):
            return None
        self.state = self._merged()
        self.memory.drop_aside()
        for name, text in reversed(wanted.items()):
            if self.stack:
                self._put_aside()
            self._start(name, text)
        self._note_beside()
        return self._run()

    def _wanted_by_parts(self) -> dict[str, str]:
        """Return the flows that parts of the message ask for, in their order, each with the words of its part."""
        wanted = [(part.flow, part.typed) for part in self.parts if part.flow is not None]
        return dict(wanted[:_DEEPEST])

    def _wanted(self, confidence: float) -> str | None:
        """Return the flow that the message asks for, by an intent that was read or chosen, or else by its words."""
        question = self.state.question
        if question is not None and question.kind == "clarify":
            option = chosen(self.message.text, question.options)
            if option is not None:
                return self.compiled.intents.get(option.value)
        reading = self._reading(confidence)
        if reading is not None and reading.intent in self.compiled.intents:
            return self.compiled.intents[reading.intent]
        named = self.compiled.phrases.find(self.message.text)
        reading = self._reading(self.settings.start_confidence) if named is not None else None
        return named if reading is None or self.compiled.intents.get(reading.intent) == named else None

    def _reading(self, confidence: float) -> Reading | None:
        """Return the likeliest intent, where it is sure enough and in scope."""
        in_scope = self.understanding.in_scope
        if in_scope is not None and in_scope < self.settings.min_in_scope:
            return None
        top = next((one for one in self.understanding.readings if one.task == "intent"), None)
        return top if top is not None and top.confidence >= confidence else None

    def _start(self, name: str, text: str) -> None:
        """Put a flow on the stack, its slots filled from its own words first, then from the whole message."""
        kinds = self.compiled.slots_of(name)
        self.memory.forget(kinds, self.compiled.results_of(name))
        self.memory.fill_from_message(kinds, over=True, text=text)
        if text != self.text:
            self.memory.fill_from_message(kinds)
        self.stack.append(FlowFrame(flow=name, step=self.compiled.flows[name].steps[0].id))

    # --- an answer -------------------------------------------------------------------------------------------------

    def _answered(self, step: Any) -> Action | None:
        if isinstance(step, Confirm):
            yes = (*self.settings.yes_phrases, *step.yes_words, self.settings.texts.yes_option)
            no = (*self.settings.no_phrases, *step.no_words, self.settings.texts.no_option)
            outright = says_yes_or_no(self.text, yes=yes, no=no)
            said = outright or yes_or_no(self.text, yes=yes, no=no)
            if said == "yes" and (outright or not self.memory.is_told_more(self._kinds)):
                self._move(self.top.after(step))
                return self._run()
        if gives_up(self.text, self.settings.cancel_phrases):
            return self._give_up()
        asks = asks_about(self.text)
        is_free = isinstance(step, Ask) and self.top.slots[step.ask].is_free
        opens = not is_free and self.compiled.phrases.opening(self.message.text) is not None
        if (asks or opens or looks_like_question(self.text)) and (
            action := self._other_flow(self._wanted_else())
        ) is not None:
            return action
        if not asks and (corrected := self._corrected(step)) is not None:
            return corrected
        if isinstance(step, Confirm):
            if said == "no":
                self.is_declined = step.no == END
                self._move(step.no)
                return self._run()
            if asks:
                return None  # to be answered; what it names stays as it is, and the dialogue says the question again
            value: Any = None
            problem: str | None = self.settings.texts.yes_or_no
        else:
            kind = self.top.slots[step.ask]
            if kind.is_free and (interruption := self._interruption(only_questions=True)) is not None:
                return interruption.action
            value = self.memory.answer(step.ask, kind)
            problem = self._problem(step, kind, value)
            if value is not None and problem is None:
                self.memory.put(step.ask, value, kind)
                if not kind.is_free:
                    self.memory.fill_from_message(self._kinds, but=step.ask)
                return self._run()
        if value is None and (interruption := self._interruption()) is not None:
            return interruption.action
        return self._failed(step, problem or self.settings.texts.not_understood)

    def _problem(self, step: Ask, kind: SlotKind, value: Any) -> str | None:
        """Return what to say of an answer that cannot be used; None where it can."""
        texts = self.settings.texts
        wrong = None if value is None else problem_with(kind, value, self.memory.now.date())
        if wrong is not None:
            return texts.needed.replace("{hint}", wrong)
        if value is not None:
            return None
        if step.unread is not None:
            return fill_text(step.unread, self.memory.values, self._kinds)
        return texts.needed.replace("{hint}", kind.hint) if kind.hint else texts.not_understood

    def _failed(self, step: Any, problem: str) -> Action:
        """Ask once more, or give up and hand over."""
        failures = self.stack[-1].failures + 1
        most = step.most_failures if isinstance(step, Ask) and step.most_failures else self.settings.most_failures
        if failures >= most:
            return self._hand_off(self.settings.texts.gave_up, f"{failures} answers in a row could not be used")
        self.stack[-1] = replace(self.stack[-1], failures=failures)
        self.asks_anew = True
        self.said.append(problem)
        return self._run()

    def _give_up(self) -> Action:
        self.said.append(self.settings.texts.cancelled)
        while True:
            frame = self.stack.pop()
            self._forget(frame)
            if not self.stack or not isinstance(self._flow(self.stack[-1]).step(self.stack[-1].step), SubFlow):
                break
        if not self.stack:
            return self._speak()
        self._come_back()
        return self._run()

    # --- corrections -----------------------------------------------------------------------------------------------

    def _corrected(self, step: Any) -> Action | None:
        """Take another value for a slot that is filled already, or ask for it once more: "no, 4567", "no, the other order"."""
        other = says_other(self.text)
        if not other and not isinstance(step, Confirm):
            return None
        asked = step.ask if isinstance(step, Ask) else None
        kinds = {name: kind for name, kind in self._kinds.items() if name != asked and self.memory.has(name)}
        said = normalised(self.text).split()
        short = asked is None and len(said) <= (_SHORT if other else _BARE)
        for only_clear in (True, False) if short else (True,):
            for name in reversed(list(kinds)):
                value = self.memory.other_value(name, kinds[name], only_clear=only_clear)
                if value is not None and problem_with(kinds[name], value, self.memory.now.date()) is None:
                    return self._go_back(step, name, kinds[name], value)
        if not other or (asked is not None and (said[0] not in _CORRECTS or len(said) > _SHORT)):
            return None
        words = set(said)
        for name in reversed(list(kinds)):
            if len(kinds) == 1 and words & _ANOTHER:
                return self._go_back(step, name, kinds[name], None)
            if words & set(normalised(kinds[name].title).split()):
                return self._go_back(step, name, kinds[name], None)
        return None

    def _go_back(self, step: Any, name: str, kind: SlotKind, value: Any) -> Action | None:
        """Go back to where a slot is asked for, with another value or without one; what calls told since is forgotten."""
        for depth in range(len(self.stack) - 1, -1, -1):
            flow = self._flow(self.stack[depth])
            here = step if depth == len(self.stack) - 1 else flow.step(self.stack[depth].step)
            if depth < len(self.stack) - 1 and not isinstance(here, SubFlow):
                return None  # the slot belongs to a flow that was interrupted
            place = next((at for at, one in enumerate(flow.steps) if isinstance(one, Ask) and one.ask == name), None)
            if place is None:
                continue
            since = [one for one in flow.between(flow.steps[place].id, here.id) if isinstance(one, Call)]
            if any(one.method != "GET" for one in since):
                self.said.append(self.settings.texts.too_late)
                return self._run()
            for result in {result for one in since for result in one.save}:
                self.memory.put(result, None)
            self.stack = [*self.stack[:depth], FlowFrame(flow=flow.flow, step=flow.steps[place].id)]
            self.memory.put(name, value, kind)
            if value is not None:
                text = self.settings.texts.corrected.replace("{title}", kind.title)
                self.said.append(text.replace("{value}", shown(value, kind)))
            return self._run()
        return None

    # --- interruptions ---------------------------------------------------------------------------------------------

    def _interruption(self, *, only_questions: bool = False) -> _Interruption | None:
        """Return what to do with a message that is about something else; None where it is not.

        Args:
            only_questions: take nothing else for an interruption: what is asked for can be any words.
        """
        question = self.text.endswith("?") if only_questions else looks_like_question(self.text)
        running = {frame.flow for frame in self.stack}
        name = self._wanted_else()
        if (question or not only_questions) and (action := self._other_flow(name)) is not None:
            return _Interruption(action)
        reading = self._reading(self.settings.interrupt_confidence)
        sure = reading is not None and self.compiled.intents.get(reading.intent) not in running
        about_else = sure and len(normalised(self.text).split()) >= _FEW
        if question and reading is None:
            about_else = name is None
        if only_questions:
            about_else = about_else and question
        return _Interruption(None) if about_else else None

    def _wanted_else(self) -> str | None:
        """Return the flow that the message asks for, where it is none of those that run."""
        name = self._wanted(self.settings.interrupt_confidence)
        return None if name in {frame.flow for frame in self.stack} else name

    def _other_flow(self, name: str | None) -> Action | None:
        """Begin another flow, and put aside what the one that runs knows."""
        if name is None or len(self.stack) >= _DEEPEST:
            return None
        self._put_aside()
        self._start(name, self.text)
        return self._run()

    def _put_aside(self) -> None:
        for frame in self._segment():
            self.memory.put_aside(frame.flow, self._flow(frame).slots, self._flow(frame).results)

    def _segment(self) -> list[FlowFrame]:
        """Return the flow that runs with those that called it, down to the first that was interrupted."""
        found = [self.stack[-1]]
        for frame in reversed(self.stack[:-1]):
            if not isinstance(self._flow(frame).step(frame.step), SubFlow):
                break
            found.append(frame)
        return found

    def _come_back(self) -> None:
        for frame in self._segment():
            self.memory.take_back(frame.flow, self._flow(frame).slots, self._flow(frame).results)
        self.said.append(self.settings.texts.back.replace("{title}", self._flow(self.stack[-1]).title))

    # --- steps -----------------------------------------------------------------------------------------------------

    def _run(self) -> Action:
        """Take steps until one waits, calls, or ends the last flow."""
        for _ in range(_MOST_STEPS):
            flow = self.top
            frame = self.stack[-1]
            if frame.step == END:
                self.stack.pop()
                if not self.stack:
                    self._complete(frame)
                    return self._speak()
                below = self._flow(self.stack[-1]).step(self.stack[-1].step)
                if isinstance(below, SubFlow):
                    self._move(self.top.after(below))
                else:
                    self._complete(frame)
                    self._come_back()
                continue
            action = self._step(flow, flow.step(frame.step))
            if action is not None:
                return action
        return self._hand_off(self.settings.texts.failed, f"the flow {self.top.flow!r} does not come to an end")

    def _step(self, flow: Flow, step: Any) -> Action | None:
        """Take one step; return the action where the turn ends with it."""
        match step:
            case Say():
                self.said.append(self._filled(step.say))
            case Ask():
                if not self.memory.has(step.ask):
                    return self._ask("slot", self._filled(step.text), self._options(flow.slots[step.ask]), step.ask)
            case Confirm():
                return self._ask("confirm", self._filled(step.confirm), self._yes_no())
            case AskAgain():
                self.said += [self._filled(step.text)] if step.text else []
                return self._ask_again(flow, step.again)
            case Check():
                if not self._holds(step.check):
                    self._move(step.otherwise)
                    return None
            case Branch():
                case = next((case for case in step.branch if self._holds(case.when)), None)
                self._move(case.go if case is not None else step.otherwise or flow.after(step))
                return None
            case Call():
                return self._call(flow, step)
            case SubFlow():
                if step.flow not in self.compiled.flows:
                    return self._hand_off(self.settings.texts.failed, f"the flow {step.flow!r} cannot run")
                self.stack.append(FlowFrame(flow=step.flow, step=self.compiled.flows[step.flow].steps[0].id))
                return None
            case HandOff():
                return self._hand_off(self._filled(step.hand_off), step.reason)
            case End():
                self.said += [self._filled(step.end)] if step.end else []
                self._move(END)
                return None
        self._move(flow.after(step))
        return None

    def _ask_again(self, flow: Flow, name: str) -> Action | None:
        """Empty a slot and go back to where it is asked for, unless that was tried too often."""
        failures = self.stack[-1].failures + 1
        if failures >= self.settings.most_failures:
            return self._hand_off(self.settings.texts.gave_up, f"{failures} answers in a row could not be used")
        self.memory.put(name, None)
        asking = next(one for one in flow.steps if isinstance(one, Ask) and one.ask == name)
        self.stack[-1] = FlowFrame(flow=flow.flow, step=asking.id, failures=failures)
        self.asks_anew = True
        return None

    def _call(self, flow: Flow, step: Call) -> Action:
        values = self.memory.values
        try:
            path = fill_path(step.path, values)
        except InvalidInputError as error:
            return self._call_failed(step, EffectResult(name=step.id, ok=False, error=str(error)))
        api = self.settings.api
        effect = plan(
            f"{flow.flow}.{step.id}",
            self.context.plugin,
            {
                "user": self.context.caller.id,
                "method": step.method,
                "path": path,
                "query": fill_query(step.query, values),
                "body": fill_json(step.body, values),
                "save": dict(step.save),
            },
            timeout_s=step.timeout_s or api.timeout_s,
            retries=api.retries if step.retries is None else step.retries,
        )
        return replace(self._speak(), effects=(effect,), again=True)

    def _called(self, step: Call) -> Action:
        """Go on after a call, by what it came to."""
        name = f"{self.top.flow}.{step.id}"
        result = next((one for one in reversed(self.state.effects) if one.name == name), None)
        if result is None or not result.ok or not isinstance(result.value, Mapping):
            return self._call_failed(step, result)
        for slot in step.save:
            self.memory.put(slot, result.value["saved"].get(slot))
        self._move(self.top.after(step))
        return self._run()

    def _call_failed(self, step: Call, result: EffectResult | None) -> Action:
        value = result.value if result is not None and isinstance(result.value, Mapping) else {}
        target = step.step_after(value.get("status"))
        if target is None:
            error = result.error if result is not None and result.error else "no result"
            return self._hand_off(self.settings.texts.failed, f"the call {step.call!r} failed: {error}")
        self._move(target)
        return self._run()

    # --- what comes of it ------------------------------------------------------------------------------------------

    def _ask(self, kind: Any, text: str, options: tuple[Option, ...], slot: str | None = None) -> Action:
        question = Question(kind=kind, slot=slot, options=options, text=text)
        self.said.append(text)
        if not self.asks_anew:
            self.stack[-1] = replace(self.stack[-1], failures=0)
        return self._speak(question)

    def _speak(self, question: Question | None = None) -> Action:
        state = self._state(question=question, flows=tuple(self.stack))
        said = self.said or ([] if self.stack else [self.settings.texts.done])
        top = f"{self.stack[-1].flow}.{self.stack[-1].step}" if self.stack else "ended"
        return Action(
            kind="flow",
            state=state,
            text="\n".join(said) or None,
            question=question,
            reason=top,
            forgotten=self.memory.forgotten,
            completed=self.completed,
        )

    def _hand_off(self, text: str, reason: str) -> Action:
        action = hand_off(
            self._state(),
            self.context,
            about=self.message.text,
            reason=reason,
            text="\n".join((*self.said, text)),
            notifier=self.settings.hand_off_notifier,
        )
        return replace(action, forgotten=self.memory.forgotten, completed=self.completed)

    def _state(self, **changes: Any) -> ConversationState:
        return replace(self.state, slots=self.memory.slots, misses=0, **changes)

    # --- small things ----------------------------------------------------------------------------------------------

    @property
    def memory(self) -> Memory:
        """The slots, from the first look at them on."""
        found: Memory | None = self.__dict__.get("_memory")
        if found is None:
            found = Memory(self.state, self.understanding, self.text, self._now(), self.context.caller.locale)
            self.__dict__["_memory"] = found
        return found

    def _now(self) -> Any:
        try:
            zone = ZoneInfo(self.context.caller.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo("UTC")
        return self.message.at.astimezone(zone)

    @property
    def top(self) -> Flow:
        """The flow that runs."""
        return self.compiled.flows[self.stack[-1].flow]

    @property
    def _kinds(self) -> Mapping[str, SlotKind]:
        """The slots of the flow that runs and of those that called it."""
        kinds: dict[str, SlotKind] = {}
        for frame in self._segment():
            kinds |= self.compiled.slots_of(frame.flow)
        return kinds

    def _flow(self, frame: FlowFrame) -> Any:
        return self.compiled.flows.get(frame.flow)

    def _move(self, step: str) -> None:
        self.stack[-1] = replace(self.stack[-1], step=step)

    def _complete(self, frame: FlowFrame) -> None:
        self._forget(frame)
        self.completed += not self.is_declined
        self.is_declined = False

    def _forget(self, frame: FlowFrame) -> None:
        self.memory.forget(self.compiled.slots_of(frame.flow), self.compiled.results_of(frame.flow))

    def _filled(self, text: str) -> str:
        return fill_text(text, self.memory.values, self._kinds)

    def _holds(self, condition: Any) -> bool:
        return holds(condition, self.memory.values, self.memory.now.date())

    def _options(self, kind: SlotKind) -> tuple[Option, ...]:
        if kind.type == "yes_no":
            return self._yes_no()
        return tuple(Option(title=next(iter(words), value), value=value) for value, words in kind.choices.items())

    def _yes_no(self) -> tuple[Option, ...]:
        texts = self.settings.texts
        return Option(title=texts.yes_option, value="yes"), Option(title=texts.no_option, value="no")


class _Interruption:
    """What to do with a message that is about something else; no action: leave it to other plugins."""

    def __init__(self, action: Action | None) -> None:
        self.action = action

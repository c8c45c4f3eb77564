"""Run dialogues, and compare what happens with what should."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rejoinder.errors import RejoinderError
from rejoinder.payloads import Json
from rejoinder.testing.dialogues.bots import Bot
from rejoinder.testing.dialogues.pretended_api import ApiLog
from rejoinder.testing.dialogues.script import Dialogue, Script, Turn

__all__ = ["DialogueResult", "Difference", "TurnResult", "run_script"]


@dataclass(frozen=True, slots=True)
class Difference:
    """What was expected, and what came instead."""

    about: str
    expected: Json
    got: Json


@dataclass(frozen=True, slots=True)
class TurnResult:
    """One turn: what was said on both sides, and what is not as it should be."""

    place: str
    user: str
    bot: tuple[str, ...]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class DialogueResult:
    """One dialogue, up to the first turn that is not as it should be.

    Attributes:
        error: why the dialogue could not be gone on with, or None.
    """

    name: str
    place: str
    turns: tuple[TurnResult, ...]
    seconds: float
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether all was as it should be."""
        return self.error is None and not any(turn.differences for turn in self.turns)


async def run_script(script: Script, bot: Bot, *, only: str = "") -> list[DialogueResult]:
    """Run the dialogues of a script one after the other, each with a user of its own.

    Args:
        only: run those alone whose names contain this, capitals aside.
    """
    results = []
    for place, dialogue in enumerate(script.dialogues):
        if only.casefold() in dialogue.name.casefold():
            results.append(await _Run(script, place, dialogue, bot).run())
    return results


class _Run:
    def __init__(self, script: Script, place: int, dialogue: Dialogue, bot: Bot) -> None:
        self.script = script
        self.place = place
        self.dialogue = dialogue
        self.bot = bot
        self.conversation = ""
        self.user: Mapping[str, str] = {}

    async def run(self) -> DialogueResult:
        began = time.perf_counter()
        turns: list[TurnResult] = []
        error: str | None = None
        if self.bot.api is not None and self.script.api is not None:
            self.bot.api.answer_with((*self.dialogue.api, *self.script.api.routes))
        try:
            await self._begin()
            for number, turn in enumerate(self.dialogue.turns):
                turns.append(await self._turn(number, turn))
                if turns[-1].differences:
                    break
        except RejoinderError as failed:
            error = str(failed)
        seconds = time.perf_counter() - began
        return DialogueResult(self.dialogue.name, self._line(), tuple(turns), seconds, error)

    async def _begin(self) -> None:
        issued = await self.bot.ask("POST", "/v1/tokens", body={"user_id": f"dialogue-{uuid.uuid4().hex[:12]}"})
        self.user = {"authorization": f"Bearer {issued['token']}"}
        opened = await self.bot.ask("POST", "/v1/conversations", self.user)
        self.conversation = f"/v1/conversations/{opened['id']}"

    async def _turn(self, number: int, turn: Turn) -> TurnResult:
        log = self.bot.api.new_log() if self.bot.api is not None else ApiLog()
        keyed = {**self.user, "idempotency-key": uuid.uuid4().hex}
        told = await self.bot.ask("POST", f"{self.conversation}/messages", keyed, {"text": turn.user})
        differences: list[Difference] = []
        if turn.repeated:
            again = await self.bot.ask("POST", f"{self.conversation}/messages", keyed, {"text": turn.user})
            if again["id"] != told["id"]:
                differences.append(Difference("the turn repeated with its key", told["id"], again["id"]))
        state: Mapping[str, Any] = {}
        if turn.flow is not None or turn.step is not None or turn.slots:
            state = await self.bot.ask("GET", self.conversation)
        differences += _differences(turn, told, state, log)
        return TurnResult(self._line(number), turn.user, tuple(told["reply"]["parts"]), tuple(differences))

    def _line(self, *turn: int) -> str:
        return self.script.lines.get((self.place, *turn), "")


def _differences(turn: Turn, told: Mapping[str, Any], state: Mapping[str, Any], log: ApiLog) -> Iterator[Difference]:
    """Yield what is not as it should be."""
    said = "\n".join(told["reply"]["parts"])
    for text in turn.bot:
        if _plain(text) not in _plain(said):
            yield Difference("the reply contains", text, said)
    for text in turn.bot_not:
        if _plain(text) in _plain(said):
            yield Difference("the reply does not contain", text, said)
    shown = tuple(option["title"] for option in told["reply"]["options"])
    frame = (state.get("flows") or [{"flow": "none", "step": "none"}])[-1]
    expected: list[tuple[str, Json, Json]] = [
        ("the options", turn.options, shown),
        ("the action", turn.action, told["action"]),
        ("the intent", turn.intent, told["label"]),
        ("who speaks (mode)", turn.mode, told["mode"]),
        ("the flow", turn.flow, frame["flow"]),
        ("the step", turn.step, frame["step"]),
        ("the calls", turn.calls, log.calls),
        ("the tries", turn.tries, len(log.received)),
    ]
    for about, wanted, got in expected:
        if wanted is not None and wanted != got:
            yield Difference(about, wanted, got)
    for name, value in turn.slots.items():
        if state["slots"].get(name) != value:
            yield Difference(f"the slot {name}", value, state["slots"].get(name))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())

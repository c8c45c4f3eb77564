"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, ConversationState, Message, Reading, Understanding

from rejoinder_plugins.dialogue.phrases import normalised
from rejoinder_plugins.small_talk.phrases import ASSENT, PHRASES, exact_kind
from rejoinder_plugins.small_talk.settings import SmallTalkSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

TASK: Final = "small_talk"
_CHUNK: Final = 4
_BUSY_WAIT_S: Final = 1.0
_MOST_WORDS: Final = 10
"""Words up to which a message can be small talk by its likeness to known phrases."""


@dataclass(frozen=True, slots=True, eq=False)
class _Phrases:
    """(n_phrases, dim) float32 vectors of the phrases under one encoder, and the kind of each."""

    vectors: FloatArray
    kinds: tuple[str, ...]


class SmallTalkPlugin:
    """Recognises small talk by its phrases and what resembles them, and answers it where the domain reads nothing in a message."""

    rejoinder_spec = ">=1.0,<2"
    settings = SmallTalkSettings

    def __init__(self) -> None:
        self._known: dict[str, _Phrases] = {}
        self._warming: asyncio.Task[None] | None = None

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Begin to encode the phrases beside the turns, once in a process; returns at once."""
        if not self._known and (self._warming is None or self._warming.done()):
            self._warming = asyncio.get_running_loop().create_task(self._warm(context))

    @hookimpl()
    async def understand_intent(
        self, message: Message, state: ConversationState, context: Context
    ) -> Understanding | None:
        """Say which kind of small talk a message is, as a reading of the task "small_talk"; None for all else."""
        said = normalised(message.text)
        words = len(said.split())
        if not 0 < words <= _MOST_WORDS:
            return None
        kind, confidence = exact_kind(said), 1.0
        if kind is None:
            settings: SmallTalkSettings = context.settings
            kind, confidence = await self._nearest(message.text, context)
            if confidence < settings.least_likeness:
                return None
        return Understanding(readings=(Reading(intent=kind, confidence=min(1.0, confidence), task=TASK, source=TASK),))

    @hookimpl(before=("dialogue",))
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Answer small talk; None where a question is open, a person speaks for the bot, or the domain knows what the message is about."""
        settings: SmallTalkSettings = context.settings
        reading = next((one for one in understanding.readings if one.task == TASK), None)
        if reading is None or state.mode != "bot" or state.question is not None or state.flows:
            return None
        text = settings.text(reading.intent, context.wording.tone)
        if not text or _is_of_the_domain(understanding, settings.domain_confidence):
            return None
        return Action(kind="say", state=state, text=text, reason=f"small talk: {reading.intent}")

    @hookimpl()
    async def stop(self) -> None:
        """Free the phrases' vectors."""
        if self._warming is not None:
            self._warming.cancel()
        self._known.clear()

    async def _nearest(self, text: str, context: Context) -> tuple[str, float]:
        """Return the kind of the phrase that a text resembles most, and their cosine; nothing while the phrases are not encoded."""
        if not self._known:
            return "", 0.0
        phrases = self._known.get((await context.models.base_encoder()).hash)
        if phrases is None:
            return "", 0.0
        likeness = phrases.vectors @ await context.models.encode(text)
        best = int(likeness.argmax())
        return phrases.kinds[best], float(likeness[best])

    async def _warm(self, context: Context) -> None:
        """Encode the phrases, a few at a time, so that no turn waits long behind them."""
        import numpy as np  # heavy, and needed only where there is an encoder

        models = context.models
        pairs = [(phrase, kind) for kind, phrases in PHRASES.items() if kind != ASSENT for phrase in phrases]
        rows: list[FloatArray] = []
        try:
            encoder = await models.base_encoder()
            while len(rows) < len(pairs):
                chunk = pairs[len(rows) : len(rows) + _CHUNK]
                try:
                    rows += await asyncio.gather(*(models.encode(phrase) for phrase, _ in chunk))
                except EncoderBusyError as error:
                    await asyncio.sleep(max(_BUSY_WAIT_S, error.retry_after_s))
        except ModelError as error:
            context.logger.info("small talk is known by its phrases alone: %s", error)
            return
        self._known[encoder.hash] = _Phrases(np.stack(rows), tuple(kind for _, kind in pairs))


def _is_of_the_domain(understanding: Understanding, least: float) -> bool:
    if understanding.in_scope is not None and understanding.in_scope < 0.5:
        return False
    return any(one.task == "intent" and one.confidence >= least for one in understanding.readings)

"""Hears anger in messages, with the head for the encoder that serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError

from rejoinder_plugins.dialogue.anger import AngerHead, examples, is_angry, shipped_head
from rejoinder_plugins.dialogue.settings import DialogueSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

__all__ = ["AngerListener"]

_CHUNK: Final = 4
"""Texts encoded at a time: few, so that a person's message never waits long behind them."""
_BUSY_WAIT_S: Final = 1.0


class AngerListener:
    """The heads of one process, by their encoder's hash."""

    def __init__(self) -> None:
        self._heads: dict[str, AngerHead | None] = {}
        self._warming: asyncio.Task[None] | None = None

    def warm(self, context: Context) -> None:
        """Get the head for the encoder that serves, beside the turns; returns at once. Needs a running loop."""
        if not self._heads and (self._warming is None or self._warming.done()):
            self._warming = asyncio.get_running_loop().create_task(self._warm(context))

    async def hears(self, text: str, context: Context) -> bool:
        """Tell whether a message is plainly angry, by its words or by the head; by words alone while there is no head, or no vector."""
        settings: DialogueSettings = context.settings
        if is_angry(text):
            return True
        if not self._heads:
            return False
        try:
            head = self._heads.get((await context.models.base_encoder()).hash)
            vector = None if head is None else await context.models.encode(text)
        except EncoderBusyError:
            raise
        except ModelError as error:
            context.logger.info("anger is heard by words alone: %s", error)
            return False
        if head is None or vector is None:
            return False
        return head.probability(text, vector) >= settings.hand_off_anger_confidence

    def close(self) -> None:
        """Free the heads."""
        if self._warming is not None:
            self._warming.cancel()
        self._heads.clear()

    async def _warm(self, context: Context) -> None:
        try:
            encoder = (await context.models.base_encoder()).hash
            known, head = shipped_head()
        except ModelError as error:
            context.logger.info("anger is heard by words alone: %s", error)
            return
        try:
            self._heads[encoder] = head if encoder == known else await _fitted(context)
        except ModelError as error:
            self._heads[encoder] = None
            context.logger.info("anger is heard by words alone: %s", error)


async def _fitted(context: Context) -> AngerHead:
    """Fit a head for an encoder that none is shipped for, a few texts at a time."""
    import numpy as np  # heavy, and needed only where there is an encoder

    known = examples()
    rows: list[FloatArray] = []
    while len(rows) < len(known):
        chunk = known[len(rows) : len(rows) + _CHUNK]
        try:
            rows += await asyncio.gather(*(context.models.encode(one.text) for one in chunk))
        except EncoderBusyError as error:
            await asyncio.sleep(max(_BUSY_WAIT_S, error.retry_after_s))
    return await asyncio.to_thread(AngerHead.of_examples, np.stack(rows))

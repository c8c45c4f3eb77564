"""A turn in parts, that is finished and recorded even when nobody listens any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson

from rejoinder.conversation import Turn
from rejoinder.serving.problems import problem_of
from rejoinder.wire import to_json

if TYPE_CHECKING:
    from rejoinder.serving.access import Entry
    from rejoinder.serving.door import Door
    from rejoinder.serving.hub import Outbox

__all__ = ["TurnStream", "server_sent_events", "tell_turn"]

_KEEP_ALIVE_S = 15.0


class TurnStream:
    """One turn that runs by itself; its parts and its end are here for whoever listens.

    Iterating gives texts and at the end the turn, or raises what the turn raised. A client that goes away ends the iteration, not
    the turn: with the same idempotency key it gets the same turn later.
    """

    def __init__(
        self,
        door: Door,
        entry: Entry,
        conversation_id: str,
        text: str,
        *,
        key: str | None,
        outbox: Outbox | None = None,
    ) -> None:
        self._queue: asyncio.Queue[str | Turn | Exception] = asyncio.Queue()
        source = door.application.conversations.stream(
            entry.tenant, conversation_id, entry.caller, text, idempotency_key=key
        )
        door.run_aside(self._run(door, entry.tenant, source, outbox))

    async def _run(self, door: Door, tenant: str, source: AsyncIterator[str | Turn], outbox: Outbox | None) -> None:
        shown = 0
        try:
            async for item in source:
                if isinstance(item, Turn):
                    # A reply that came whole, or was given before, is told part by part as well: clients need one way only.
                    for part in item.reply.parts[shown:]:
                        self._queue.put_nowait(part)
                    tell_turn(door, tenant, item, but=outbox)
                else:
                    shown += 1
                self._queue.put_nowait(item)
        except Exception as error:  # it is the listener's to tell
            self._queue.put_nowait(error)

    async def next(self) -> str | Turn:
        """Return the next part, or the turn; raises what the turn raised."""
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def __aiter__(self) -> AsyncIterator[str | Turn]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[str | Turn]:
        while True:
            item = await self.next()
            yield item
            if isinstance(item, Turn):
                return


async def server_sent_events(first: str | Turn, stream: TurnStream, instance: str) -> AsyncIterator[bytes]:
    """Yield `part` events, then one `turn` or `error` event, with comments in between that keep the connection open."""
    item, index = first, 0
    while not isinstance(item, Turn):
        yield _event("part", {"index": index, "text": item})
        index += 1
        waiting = asyncio.ensure_future(stream.next())
        try:
            while not (await asyncio.wait((waiting,), timeout=_KEEP_ALIVE_S))[0]:
                yield b": still here\n\n"
            item = waiting.result()
        except Exception as error:
            yield _event("error", problem_of(error).to_json(instance))
            return
        finally:
            waiting.cancel()
    yield _event("turn", to_json(item))


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))


def tell_turn(door: Door, tenant: str, turn: Turn, *, kind: str = "turn", but: Outbox | None = None) -> None:
    """Tell a turn to the sockets that listen to its conversation, and to the agents' consoles where it is a person's affair."""
    if door.hub.listens(tenant, turn.conversation_id):
        door.hub.publish(tenant, turn.conversation_id, {"type": kind, "turn": to_json(turn)}, but=but)
    if turn.mode != "bot":
        door.consoles.publish(tenant, "", {"type": "changed"})

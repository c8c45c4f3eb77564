"""Who listens to which conversation over a socket, in this process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Protocol

import orjson

__all__ = ["Hub", "Listener", "Outbox"]

_MOST_FRAMES = 256


class Outbox:
    """Frames on their way to one socket; putting one never waits.

    Attributes:
        overflowed: the other side reads too slowly; nothing more is kept, and the socket is to be closed.
    """

    def __init__(self, most_frames: int = _MOST_FRAMES) -> None:
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self._most_frames = most_frames
        self.overflowed = asyncio.Event()

    def put(self, frame: dict[str, Any]) -> None:
        """Add a frame, or note that there are too many."""
        if self._frames.qsize() >= self._most_frames:
            self.overflowed.set()
        if not self.overflowed.is_set():
            self._frames.put_nowait(orjson.dumps(frame, option=orjson.OPT_UTC_Z).decode())

    async def get(self) -> str:
        """Wait for the next frame."""
        return await self._frames.get()

    def done(self) -> None:
        """Note that the frame that `get` gave was sent."""
        self._frames.task_done()

    async def drained(self) -> None:
        """Wait until every frame was sent."""
        await self._frames.join()


class Listener(Protocol):
    """Whoever hears of what happens, such as an `Outbox`."""

    def put(self, frame: dict[str, Any]) -> None:
        """Take a frame, without waiting."""


class Hub:
    """Brings what happens in a conversation, or in a queue, to all sockets that are open on it."""

    def __init__(self) -> None:
        self._listeners: defaultdict[tuple[str, str], set[Listener]] = defaultdict(set)

    def join(self, tenant: str, conversation_id: str, outbox: Listener) -> None:
        """Listen to a conversation from now on."""
        self._listeners[tenant, conversation_id].add(outbox)

    def leave(self, tenant: str, conversation_id: str, outbox: Listener) -> None:
        """Listen no longer."""
        listeners = self._listeners.get((tenant, conversation_id))
        if listeners is not None:
            listeners.discard(outbox)
            if not listeners:
                del self._listeners[tenant, conversation_id]

    def publish(self, tenant: str, conversation_id: str, frame: dict[str, Any], *, but: Listener | None = None) -> None:
        """Bring a frame to all that listen, save one."""
        for outbox in self._listeners.get((tenant, conversation_id), ()):
            if outbox is not but:
                outbox.put(frame)

    def listens(self, tenant: str, conversation_id: str) -> bool:
        """Say whether anybody listens, so that a frame need not be made for nobody."""
        return (tenant, conversation_id) in self._listeners

    def __len__(self) -> int:
        """The number of open sockets."""
        return sum(len(listeners) for listeners in self._listeners.values())

"""Replay dated documents through the path that serves, as if they arrived now, and tell which alerts they raise."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from rejoinder.errors import BacklogError, RejoinderError
from rejoinder.monitoring.replay_files import Dated

__all__ = ["Door", "Replay", "replay"]

_AT_ONCE: Final = 256
_STATUSES: Final = ("accepted", "duplicate", "folded", "refused")
_TICK_S: Final = 0.2
_PATIENCE_S: Final = 180.0
"""Seconds without anything being read after which nobody seems to read."""
_MOST_REASONS: Final = 20
_MOST_KEYS: Final = 20


class Door(Protocol):
    """What a replay goes through. Values are as in the API; all methods raise RejoinderError."""

    async def send(self, documents: Sequence[Dated]) -> dict[str, Any]:
        """Send documents; return what became of them, as `POST /v1/events` tells it."""

    async def waiting(self) -> int:
        """Return how many events wait to be read or looked through."""

    async def alerts(self, first: datetime, last: datetime) -> list[dict[str, Any]]:
        """Return the alerts dated from `first` to `last`, oldest first."""

    async def trends(self, kind: str, keys: Sequence[str], start: datetime, end: datetime) -> dict[str, Any]:
        """Return trends, in buckets of a length that fits the time."""


@dataclass(slots=True)
class Replay:
    """What came of a replay.

    Attributes:
        documents: how many there were.
        sent: how many of them were sent: fewer where it was interrupted.
        counts: of those sent by status: accepted, duplicate, folded, refused.
        reasons: why documents were refused: the first 20.
        first, last: the dates of the first and the last document.
        seconds: how long it took, until all was read and looked through.
        alerts: those dated from the first document to the last one that was sent, oldest first.
        trends: of what the most telling alerts are about, each with its buckets: one for each type.
    """

    documents: int
    first: datetime
    last: datetime
    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    alerts: list[dict[str, Any]] = field(default_factory=list)
    trends: list[dict[str, Any]] = field(default_factory=list)


async def replay(
    documents: Sequence[Dated],
    door: Door,
    *,
    speed: float | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[float, str], None] = lambda share, said: None,
) -> Replay:
    """Send documents in the order of their dates, wait until all are read and looked through, and gather the alerts.

    What was sent before is a duplicate, so that a replay that was interrupted is taken up by doing it again.

    Args:
        documents: oldest first, at least one.
        speed: how many times faster than they once arrived; None: as fast as they are taken.
        stop: once it is set nothing more is sent or awaited.
        tell: is told the share that is done, in [0, 1], and words to it.
    Raises:
        RejoinderError: nothing is read for three minutes, or the door fails.
    """
    loop = asyncio.get_running_loop()
    stop = stop or asyncio.Event()
    begun = loop.time()
    found = Replay(documents=len(documents), first=documents[0].at, last=documents[-1].at)
    for batch in _batches(documents, speed):
        due = 0.0 if speed is None else (batch[0].at - found.first).total_seconds() / speed
        await _pause(stop, begun + due - loop.time())
        if stop.is_set():
            break
        await _send(batch, door, found, stop)
        tell(0.5 * found.sent / found.documents, f"{found.sent} sent, {batch[-1].at:%Y-%m-%d}")
    await _read_all(door, found, stop, tell)
    until = documents[max(0, found.sent - 1)].at
    found.alerts = await door.alerts(found.first, until) if found.sent else []
    for kind, keys in _spoken_of(found.alerts).items():
        found.trends.append(await door.trends(kind, keys, found.first, until + timedelta(seconds=1)))
    found.seconds = loop.time() - begun
    return found


def _batches(documents: Sequence[Dated], speed: float | None) -> Iterator[Sequence[Dated]]:
    """Yield what is sent at once: of a paced replay what is due within a moment."""
    within = timedelta.max if speed is None else timedelta(seconds=min(_TICK_S * speed, 1e9))
    start = 0
    for place, one in enumerate(documents):
        if place > start and (place - start == _AT_ONCE or one.at - documents[start].at > within):
            yield documents[start:place]
            start = place
    yield documents[start:]


async def _send(batch: Sequence[Dated], door: Door, found: Replay, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            told = await door.send(batch)
        except BacklogError as error:
            await door.waiting()
            await _pause(stop, error.retry_after_s)
            continue
        found.sent += len(batch)
        found.counts.update({name: told.get(name, 0) for name in _STATUSES})
        refused = [one for one in told["results"] if one["status"] == "refused"]
        for one in refused[: _MOST_REASONS - len(found.reasons)]:
            document = batch[one["index"]]
            found.reasons.append(f"{document.row.get('id') or document.at.isoformat()}: {one['reason']}")
        return


async def _read_all(door: Door, found: Replay, stop: asyncio.Event, tell: Callable[[float, str], None]) -> None:
    loop = asyncio.get_running_loop()
    least = most = await door.waiting()
    until = loop.time() + _PATIENCE_S
    while least and not stop.is_set():
        await _pause(stop, _TICK_S)
        waiting = await door.waiting()
        if waiting < least:
            least, until = waiting, loop.time() + _PATIENCE_S
        elif loop.time() > until:
            raise RejoinderError(
                f"{waiting} events wait, and none was read for {_PATIENCE_S:.0f} s: is a worker running (`rejoinder worker`)? "
                "Its log says what it waits for. Do the replay again to go on"
            )
        tell(1 - 0.5 * waiting / most, f"{waiting} to read")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


def _spoken_of(alerts: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what the most telling alerts are about, by the type of what was observed, where their figures name it."""
    rank = ("critical", "warning", "info")
    typed = [one for one in alerts if one["key"] and isinstance(one["data"].get("type"), str)]
    typed.sort(key=lambda one: (one["part_of"] is not None, rank.index(one["severity"])))
    keys: dict[str, list[str]] = {}
    for kind, key in list(dict.fromkeys((one["data"]["type"], one["key"]) for one in typed))[:_MOST_KEYS]:
        keys.setdefault(kind, []).append(key)
    return keys

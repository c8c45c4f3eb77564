"""Rules: when their conditions begin to hold, what they tell, and that nothing is told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.events.reading import read_stream
from rejoinder.monitoring.rules import Condition, told_by_rules
from rejoinder.store.alert_rules import remove_alert_rule
from rejoinder.store.detection import changes_detected, undetected
from rejoinder.store.personal_data import personal_rows

from tests.integration.monitoring.test_monitoring_over_http import BEGUN, Desk, desk
from tests.support.application import file_bytes

HOUR = timedelta(hours=1)
QUIET = {"finance_sentiment": {"surges": {"watch": ["topic"]}, "examples": 0}}


def texts(hours: Sequence[float], text: str, name: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}{number}", "at": (BEGUN + hour * HOUR).isoformat(), "text": f"$ACME {text} {name} {number}"}
        for number, hour in enumerate(hours)
    ]


async def wanted(at: Desk, **condition: Any) -> str:
    body = {"key": "ACME", "name": "Acme", "condition": {"window_hours": 6, **condition}}
    made = await at.ask("POST", "/alert-rules", json=body)
    assert made.status_code == 201, made.text
    rule: str = made.json()["id"]
    return rule


async def test_a_rule_tells_when_it_begins_to_hold_and_again_after_it_ceased(tmp_path: Path) -> None:
    async with desk(tmp_path, alerts={"receivers": ["webhook"]}, **QUIET) as at:
        rule = await wanted(at, measure="sentiment", comparison="below", threshold=0.0, least_documents=2)
        await at.send(texts([0, 1], "grows", "a"))
        assert await at.work() == 0
        await at.send(texts([10, 11], "loss", "b"))
        assert await at.work() == 1
        await at.send(texts([12, 13], "loss", "c"))
        assert await at.work() == 0  # it holds on
        await at.send(texts([11.5], "loss", "late"))
        assert await at.work() == 0  # a late one does not make it begin anew
        await at.send([*texts([30, 31], "grows", "d"), *texts([50, 51], "loss", "e")])
        assert await at.work() == 1
        first, second = reversed((await at.got("/alerts"))["alerts"])
        assert first["data"]["rule"] == second["data"]["rule"] == rule
        assert first["at"].startswith("2026-01-05T11:00")
        assert first["data"]["value"] == -0.5
        assert [one["source"] for one in first["evidence"]] == ["b0", "b1"]
        assert "is -0.50 in the 6 hours to 2026-01-05 11:00 UTC" in first["explanation"]
        details = await at.got(f"/alerts/{second['id']}")
        assert second["part_of"] is None  # each is told by itself
        assert [one["receiver"] for one in details["deliveries"]] == ["webhook"]
        (kept,) = (await at.got("/alert-rules"))["rules"]
        assert kept["holds"] is True
        assert (await at.got("/alerts", who="other"))["alerts"] == []


async def test_bad_news_doubles_against_the_window_before(tmp_path: Path) -> None:
    async with desk(tmp_path, **QUIET) as at:
        await wanted(at, measure="negative_count", comparison="times", threshold=2.0, least_documents=3)
        await at.send(texts([0, 1, 2, 6, 7, 8, 8.5, 9], "loss", "a"))
        assert await at.work() == 1  # three at 2 h, where there was nothing before; four of 6 h against two are told of
        (alert,) = (await at.got("/alerts"))["alerts"]
        assert alert["data"]["value"] == 3.0
        assert alert["data"]["before"] == 0.0


async def test_a_persons_rules_are_exported_and_go_with_them(tmp_path: Path) -> None:
    async with desk(tmp_path, **QUIET) as at:
        rule = await wanted(at, measure="count", comparison="above", threshold=5.0)
        (kept,) = (await at.got("/alert-rules"))["rules"]
        database = at.application.database
        rows = await personal_rows(database, "acme", kept["user_id"], "alert_rule")
        assert [one["id"] for one in rows] == [rule]
        assert await personal_rows(database, "other", kept["user_id"], "alert_rule") == []
        await at.application.eraser.erase("other", kept["user_id"], by="admin")
        assert len((await at.got("/alert-rules"))["rules"]) == 1
        report = await at.application.eraser.erase("acme", kept["user_id"], by="admin")
        assert report.counts["alert_rules"] == 1
        assert (await at.got("/alert-rules"))["rules"] == []


async def test_a_user_has_so_many_rules_at_most(tmp_path: Path) -> None:
    async with desk(tmp_path, alerts={"rules_per_user": 2}, **QUIET) as at:
        rule = await wanted(at, measure="count", comparison="above", threshold=5.0)
        body = {"key": "ACME", "condition": {"measure": "count", "comparison": "above", "threshold": 6.0}}
        made = await asyncio.gather(*(at.ask("POST", "/alert-rules", json=body) for _ in range(3)))
        assert sorted(one.status_code for one in made) == [201, 409, 409]
        refused = next(one for one in made if one.status_code == 409)
        assert "one user may have 2 rules of alerts at most" in refused.json()["detail"]
        assert "remove one first" in refused.json()["detail"]
        assert (await at.ask("DELETE", f"/alert-rules/{rule}")).status_code == 204
        assert (await at.ask("POST", "/alert-rules", json=body)).status_code == 201
        assert (await at.ask("POST", "/alert-rules", who="other", json=body)).status_code == 201


async def test_nothing_of_a_person_stays_in_alerts(tmp_path: Path) -> None:
    async with desk(tmp_path, **QUIET) as at:
        rule = await wanted(at, measure="count", comparison="above", threshold=1.0, least_documents=2)
        (kept,) = (await at.got("/alert-rules"))["rules"]
        me = kept["user_id"]
        typed = {**texts([1], "loss is what I say of", "mine")[0], "user_id": me}
        await at.send([*texts([0], "loss", "a"), typed])
        assert await at.work() == 1
        (alert,) = (await at.got("/alerts"))["alerts"]
        assert alert["data"]["user"] == me
        assert {one["source"] for one in alert["evidence"]} == {"a0", "mine0"}
        assert (await at.ask("POST", f"/alerts/{alert['id']}/acknowledge")).status_code == 200
        marked = await at.ask("PUT", f"/alerts/{alert['id']}/mark", json={"mark": "noise"})
        assert marked.status_code == 200, marked.text
        await at.application.eraser.erase("other", me, by="admin")
        assert (await at.got(f"/alerts/{alert['id']}"))["data"]["user"] == me
        report = await at.application.eraser.erase("acme", me, by="admin")
        assert report.counts["alerts"] == 1
        told = await at.ask("GET", f"/alerts/{alert['id']}")
        assert me not in told.text
        assert "loss is what I say of" not in told.text
        assert [one["source"] for one in told.json()["evidence"]] == ["a0"]
        assert told.json()["acknowledged_by"] == told.json()["marked_by"] == "(erased)"
        stored = file_bytes(tmp_path)
        assert b"loss is what I say of" not in stored
        assert rule.encode() in stored


async def test_a_rule_that_is_removed_while_it_is_looked_at_tells_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path, **QUIET) as at:
        rule = await wanted(at, measure="count", comparison="above", threshold=1.0, least_documents=2)
        await at.send(texts([0, 1], "loss", "a"))
        database = at.application.database
        await read_stream(at.application, "acme")
        seen = await undetected(database, "acme", limit=64)
        assert seen is not None
        told, looked = await told_by_rules(database, "acme", seen.observations, at=at.clock())
        assert [one.data["rule"] for one in told] == [rule]
        await remove_alert_rule(database, "acme", rule)
        now, hour = at.clock(), timedelta(hours=1)
        assert await changes_detected(
            database, "acme", seen, [], [], receivers=(), group_within=hour, told=told, looked=looked, at=now
        )
        assert (await at.got("/alerts"))["alerts"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "sentiment", "comparison": "times", "threshold": 2.0},
        {"measure": "sentiment", "comparison": "below", "threshold": -2.0},
        {"measure": "negative_share", "comparison": "above", "threshold": 40.0},
        {"measure": "count", "comparison": "times", "threshold": 1.0},
    ],
)
def test_conditions_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Condition.model_validate(wrong)

"""A shop over HTTP: items and behaviour in, lists out that change with the next click; tenants apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rejoinder.store.decisions import get_decision

from tests.support.shop import ITEMS, NOON, shop

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")


async def test_the_very_next_list_knows_the_last_click(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        taken = await acme.post("items", ITEMS)
        assert taken["new"] == 30, taken
        cold = await acme.post("recommendations", {"user_id": "ann", "limit": 6})
        assert len(cold["items"]) == 6
        assert "nothing is known" in cold["note"]
        await acme.rule(diversity=0.0)
        alike = 0
        for who in [*(f"visitor-{number}" for number in range(9)), "ann"]:
            await acme.did("click", "fishing-1", user_id=who)
            warm = await acme.post("recommendations", {"user_id": who, "limit": 4, "explain": True})
            alike += sum(item["id"].startswith("fishing") for item in warm["items"]) >= 2
        assert alike >= 8, "chance now and then shows something else, not most of the time"
        assert "fishing-1" not in [item["id"] for item in warm["items"]]
        assert warm["note"] == ""
        assert all(set(item["parts"]) >= {"together", "text", "popular", "session"} for item in warm["items"])
        assert all(0 < item["propensity"] <= 1 for item in warm["items"])

        decision = await get_decision(acme.application.database, "acme", warm["decision_id"])
        assert decision.kind == "list"
        assert list(decision.chosen) == [item["id"] for item in warm["items"]]
        assert [one.propensity for one in decision.candidates] == [item["propensity"] for item in warm["items"]]

        await acme.rule(diversity=0.0, explore=False)
        sure = await acme.post("recommendations", {"user_id": "ann", "limit": 8, "explain": True})
        assert all(item["id"].startswith("fishing") and item["propensity"] == 1 for item in sure["items"])
        assert {item["because"] for item in sure["items"]} == {"fishing-1"}
        assert all("fishing" in item["reason"] for item in sure["items"])


async def test_what_is_not_chosen_from_lists_goes_down(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        for _ in range(4):
            shown = await acme.ids(session_id="visit", limit=8)
            garden = [one for one in shown if one.startswith("garden")]
            if garden:
                await acme.did("click", garden[0], user_id=None, session_id="visit")
        await acme.rule(explore=False)
        assert sum(one.startswith("garden") for one in await acme.ids(session_id="visit", limit=4)) >= 3


async def test_filters_rules_and_empty_lists_say_why(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        empty = await acme.post("recommendations", {"user_id": "ann"})
        assert empty["items"] == []
        assert "the catalogue is empty" in empty["note"]
        await acme.post("items", ITEMS)
        rules = {"pin": ["garden-3"], "exclude": ["kitchen"], "boost": {"fishing-0": 3.0}}
        await acme.rule(**rules)
        shown = await acme.ids(user_id="ann", limit=30)
        assert shown[:2] == ["garden-3", "fishing-0"]
        assert not any(one.startswith("kitchen") or one.endswith("-9") for one in shown)
        cheap = await acme.ids(user_id="ann", limit=30, filters={"tags": ["Garden"], "price_max": 15})
        assert set(cheap) == {"garden-0", "garden-1", "garden-2"}
        none = await acme.post("recommendations", {"user_id": "ann", "filters": {"price_min": 900}})
        assert none["items"] == []
        assert "none of the 30 items is left" in none["note"]
        wrong = await acme.post("recommendations", {"user_id": "ann", "filters": {"colour": "red"}})
        assert "no filter 'colour'" in wrong["note"]


async def test_bad_rows_are_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        taken = await acme.post("items", [ITEMS[0], {**ITEMS[1], "price": -1}, {"id": "x"}, ITEMS[0]])
        assert [row["status"] for row in taken["results"]] == ["new", "refused", "refused", "unchanged"]
        assert "price" in taken["results"][1]["reason"]
        assert taken["results"][1]["id"] == ITEMS[1]["id"]
        unknown = await acme.did("click", "later-item")
        assert unknown["accepted"] == 1
        assert "no such item" in unknown["results"][0]["reason"]
        for bad, why in (
            ({"kind": "rate", "data": {"value": 11}}, "off the scale"),
            ({"kind": "rate"}, "a rating is a number"),
            ({"kind": "buy", "user_id": None}, "user_id"),
            ({"kind": "like", "at": "2027-01-01T00:00:00Z"}, "future"),
        ):
            refused = await acme.did(**{"item": "fishing-0", **bad})  # type: ignore[arg-type]  # kinds differ
            assert refused["refused"] == 1
            assert why in refused["results"][0]["reason"]


async def test_another_tenant_sees_neither_items_nor_behaviour(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        await acme.did("click", "fishing-1")
        assert await acme.ids("other", user_id="ann") == []
        response = await acme.client.get(
            "/v1/items/fishing-1", headers={"authorization": f"Bearer {acme.keys['other']}"}
        )
        assert response.status_code == 404


async def test_a_program_and_whoever_refused_teach_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        robot = [
            {"id": f"r{number}", "kind": "click", "item_id": "kitchen-0", "user_id": "robot", "at": NOON.isoformat()}
            for number in range(200)
        ]
        assert (await acme.post("events", robot))["accepted"] == 200
        for number in range(5):
            await acme.did("buy", "garden-0", user_id=f"u{number}")
        items = (await acme.application.models.request_for("acme", _admin())).items
        assert items is not None
        log = await items.behaviour()
        assert set(log.items) == {"garden-0"}
        assert len(await items.recent("robot", None)) == 200  # kept, all of it


def _admin() -> Any:
    from tests.support.application import ADMIN

    return ADMIN

"""What shops and their visitors get wrong: each is told, nothing is lost, and lists go on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.items.files import read_item_file
from rejoinder.items.loading import ItemLoading
from rejoinder.store.decisions import get_decision
from rejoinder.store.events import list_events
from rejoinder.store.items import list_items

from tests.support.application import ADMIN
from tests.support.shop import ITEMS, NOON, Shop, shop

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

MANY = 10_000


async def send(acme: Shop, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Send events as JSON lines."""
    response = await acme.client.post(
        "/v1/events",
        content="\n".join(map(json.dumps, rows)),
        headers={"authorization": f"Bearer {acme.keys['admin']}", "content-type": "application/x-ndjson"},
    )
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_ten_thousand_events_by_one_user_in_a_minute(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        for number in range(5):
            await acme.did("buy", "garden-0", user_id=f"u{number}")
        rows = [
            {"id": f"r{n}", "kind": "click", "item_id": "kitchen-0", "user_id": "robot", "at": NOON.isoformat()}
            for n in range(MANY)
        ]
        taken = await send(acme, rows)
        assert (taken["accepted"], taken["refused"]) == (MANY, 0)
        again = await send(acme, rows[:100])
        assert again["duplicate"] == 100
        database = acme.application.database
        stored = [row.id for row in await list_events(database, "acme", limit=MANY + 100) if row.user_id == "robot"]
        assert len(stored) == MANY
        items = (await acme.application.models.request_for("acme", ADMIN)).items
        assert items is not None
        assert set((await items.behaviour()).items) == {"garden-0"}
        await acme.rule(explore=False, diversity=0.0)
        assert (await acme.ids(user_id="somebody", limit=1)) == ["garden-0"]
        listed = await acme.post("recommendations", {"user_id": "robot", "limit": 5, "explain": True})
        assert len(listed["items"]) == 5
        assert "kitchen-0" not in [item["id"] for item in listed["items"]]


async def test_a_batch_with_every_kind_of_mistake_keeps_what_is_right(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        click = {"kind": "click", "item_id": "garden-0", "user_id": "ann", "at": NOON.isoformat()}
        wrong = {
            "future": {**click, "at": "2027-01-01T00:00:00Z"},
            "off the scale": {**click, "kind": "rate", "data": {"value": -1}},
            "a rating is a number": {**click, "kind": "rate", "data": {"value": "five"}},
            "user_id": {**click, "user_id": None},
            "item_id": {**click, "item_id": None},
            "at": {**click, "at": "yesterday"},
            "no such field": {**click, "colour": "red"},
        }
        taken = await send(acme, [click, *wrong.values(), {**click, "item_id": "garden-1"}])
        assert [row["status"] for row in taken["results"]] == ["accepted", *(["refused"] * len(wrong)), "accepted"]
        for why, row in zip(wrong, taken["results"][1:-1], strict=True):
            assert why in row["reason"]
        lines = await acme.client.post(
            "/v1/events",
            content=b'{"kind": "click"\n\xff\xfe\n' + json.dumps({**click, "item_id": "garden-2"}).encode(),
            headers={"authorization": f"Bearer {acme.keys['admin']}", "content-type": "application/x-ndjson"},
        )
        assert [row["status"] for row in lines.json()["results"]] == ["refused", "refused", "accepted"]


async def test_wrong_questions_are_explained_and_lists_go_on(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        unknown = await acme.post("recommendations", {"user_id": "nobody", "filters": {"like": ["no-such-item"]}})
        assert len(unknown["items"]) == 10
        assert "no such item: no-such-item" in unknown["note"]
        assert "nothing is known of this person" in unknown["note"]
        some = await acme.post("recommendations", {"filters": {"like": ["no-such-item", "garden-1"]}})
        assert some["items"]
        assert "no-such-item" in some["note"]
        for filters, why in (
            ({"price_max": "cheap"}, "price_max is a number"),
            ({"tags": [3]}, "tags is a text or a list of texts"),
            ({"colour": "red"}, "no filter 'colour'"),
        ):
            wrong = await acme.post("recommendations", {"user_id": "ann", "filters": filters})
            assert wrong["items"] == []
            assert why in wrong["note"]
        for filters in ({"price_min": 10, "price_max": 5}, {"price_max": -1}, {"tags": ["unheard-of"]}):
            none = await acme.post("recommendations", {"user_id": "ann", "filters": filters})
            assert none["items"] == []
            assert "none of the 30 items is left" in none["note"]
        await acme.post("recommendations", {"user_id": "ann", "limit": 0}, status=422)
        await acme.post("recommendations", {}, status=422)
        for number in range(10):
            await acme.post("recommendations", {"user_id": f"v{number}", "filters": {"colour": "red"}})
        assert len(await acme.ids(user_id="ann")) == 10, "whoever asks wrongly does not shut the plugin off for others"


async def test_what_filters_hold_is_redacted_before_it_is_kept(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS[:1])
        wrong = {"note": {"from": ["ann.lee@mail.example"]}}
        made = await acme.post("recommendations", {"user_id": "ann", "filters": wrong})
        kept = await get_decision(acme.application.database, "acme", made["decision_id"])
        assert kept.filters is not None
        assert "ann.lee" not in json.dumps(kept.filters)


async def test_files_with_bad_rows_keep_the_others(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "id,title,text,tags,price,available,director\n"
        'a,Film A,"Said ""so"", twice",drama|war,9.5,yes,Ang Lee\n'
        "b,Film B,,,-3,,\n"
        "c,Film C,,,cheap,,\n"
        ",No id,,,,,\n"
        "d,,,,,,\n"
        "e,Film E,,,,perhaps,\n"
        "f,Film F\n"
        "g,Film G,,,1e400,,\n"
        "a,Film A again,,,1,no,\n",
        encoding="utf-8",
    )
    lines = [b'{"id": "h", "title": "H"}', b"{", b"[]", b'{"id": "i"}', b"\xff", b'{"id": "j", "title": "J", "x": 1}']
    (tmp_path / "more.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    async with shop(tmp_path) as acme:
        rows = [*read_item_file(tmp_path / "items.csv"), *read_item_file(tmp_path / "more.jsonl.gz")]
        results = await ItemLoading(acme.application.database, "acme", None).take(rows)
        assert [one.status for one in results] == [
            *("new", *["refused"] * 7, "changed"),
            *("new", *["refused"] * 5),
        ]
        assert [one.index for one in results] == [*range(2, 11), *range(1, 7)], "each is named by its line"
        reasons = [one.reason for one in results]
        for place, why in {1: "price", 2: "price", 3: "id", 4: "title", 5: "available", 6: "fewer fields"}.items():
            assert why in reasons[place]
        kept = {item.id: item for item in await list_items(acme.application.database, "acme", active=None)}
        assert set(kept) == {"a", "h"}
        assert not kept["a"].active
    for name, content, why in (
        ("no-header.csv", b"", "no column id"),
        ("quotes.csv", b'id,title\na,"open\n', "not CSV"),
        ("latin.csv", "id,title\na,é\n".encode("latin-1"), "not UTF-8"),
        ("items.xml", b"<a/>", ".csv"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match=why):
            read_item_file(tmp_path / name)

"""Lists for everybody at once: over HTTP page by page, and into files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.store.users import ensure_user, set_consent
from rejoinder_recommendation.list_files import list_writer

from tests.support.shop import ITEMS, Shop, shop

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

LIST = {"user_id": "ann", "items": [{"id": "i", "title": "I", "reason": "Ünlike.", "because": None}] * 2, "note": ""}


async def exported(acme: Shop, who: str = "admin", **wanted: Any) -> list[dict[str, Any]]:
    response = await acme.client.get(
        "/v1/recommendations/export", params=wanted, headers={"authorization": f"Bearer {acme.keys[who]}"}
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_lists_for_everybody_and_for_every_item(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", ITEMS)
        assert await exported(acme) == []
        for who in ("ann", "ben", "cyd", "dan"):
            await acme.did("click", "fishing-1" if who < "c" else "garden-2", user_id=who)
        await ensure_user(acme.application.database, "acme", "ben")
        await set_consent(acme.application.database, "acme", "ben", False)
        lists = await exported(acme, limit=3)
        assert [one["user_id"] for one in lists] == ["ann", "cyd", "dan"]
        assert all(len(one["items"]) == 3 for one in lists)
        assert lists == await exported(acme, limit=3), "nothing is left to chance"
        assert "fishing-1" not in [item["id"] for item in lists[0]["items"]]
        assert lists[1:] == await exported(acme, limit=3, after="ann", count=2)
        assert await exported(acme, limit=3, count=1) == lists[:1]

        alike = await exported(acme, **{"for": "items", "limit": 2, "count": 40})
        assert len(alike) == 27, "those that are available"
        assert all(one["items"][0]["id"] != one["item_id"] for one in alike)
        assert await exported(acme, "other") == []
        token = await acme.post("tokens", {"user_id": "ann"}, status=201)
        refused = await acme.client.get(
            "/v1/recommendations/export", headers={"authorization": f"Bearer {token['token']}"}
        )
        assert refused.status_code == 403


def test_files_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    for name in ("lists.jsonl", "lists.parquet"):
        with list_writer(tmp_path / name) as write:
            write(LIST)
    assert json.loads((tmp_path / "lists.jsonl").read_text(encoding="utf-8")) == LIST
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra rejoinder[parquet]")
    rows = parquet.read_table(tmp_path / "lists.parquet").to_pylist()
    assert [(row["whose"], row["id"], row["item"], row["position"]) for row in rows] == [
        ("user", "ann", "i", 0),
        ("user", "ann", "i", 1),
    ]
    with pytest.raises(ZeroDivisionError), list_writer(tmp_path / "broken.jsonl"):
        raise ZeroDivisionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lists.jsonl", "lists.parquet"]
    with pytest.raises(InvalidInputError, match="jsonl"), list_writer(tmp_path / "lists.xlsx"):
        pass

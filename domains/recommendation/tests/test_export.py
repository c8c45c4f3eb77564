"""Lists for everybody at once: over HTTP page by page, and into files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.store.users import ensure_user, set_consent
from rejoinder.testing.doubles import HashEncoder
from rejoinder_recommendation.list_files import list_writer
from typer.testing import CliRunner

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
    with pytest.raises(InvalidInputError, match="no folder"), list_writer(tmp_path / "nowhere" / "lists.jsonl"):
        pass
    with pytest.raises(InvalidInputError, match="jsonl"), list_writer(tmp_path / "lists.xlsx"):
        pass


def test_the_command_writes_a_tenants_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("rejoinder.application.load_encoder", lambda *_, **__: HashEncoder())
    monkeypatch.setattr("rejoinder.cli.items.load_encoder", HashEncoder)
    (tmp_path / "items.csv").write_text("id,title,director\na,Hulk,Ang Lee\nb,Ice Storm,Ang Lee\nc,Jaws,\n")

    def call(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == code, done.output
        return done.output

    call("tenant", "create", "acme")
    call("items", "load", str(tmp_path / "items.csv"), "--tenant", "acme")
    out = tmp_path / "alike.jsonl"
    said = call("recommender", "export", str(out), "--tenant", "acme", "--for", "items", "--limit", "2", "--json")
    assert json.loads(said) == {"file": str(out), "lists": 3, "empty": 0}
    lists = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [one["item_id"] for one in lists] == ["a", "b", "c"]
    assert {item["id"] for item in lists[0]["items"]} == {"b", "c"}
    call("recommender", "export", str(tmp_path / "lists.xlsx"), "--tenant", "acme", code=1)
    call("recommender", "export", str(out), "--tenant", "nobody", code=1)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3, "an older file stays where a new one cannot be made"

"""Events over HTTP: sent one by one, in batches and as a stream, each row with its own result, and read by plugins."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")
pytest.importorskip("selectolax", reason="needs the extra rejoinder[events]")

from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.events.ingestion import EventIngestion
from rejoinder.events.reading import MOST_ATTEMPTS, read_stream
from rejoinder.learning.schedules import EVENTS, keep_schedules
from rejoinder.payloads import Caller, Event, Observation
from rejoinder.serving.app import create_app
from rejoinder_plugins.redaction import RedactionPlugin

from tests.support.application import opened

NOW = datetime(2026, 3, 2, 20, tzinfo=UTC)
LINES = "application/x-ndjson"


class Readers:
    """A plugin that reads the length of a text, and fails on what is called poison."""

    def __init__(self) -> None:
        self.read: list[str] = []

    @hookimpl()
    def read_events(self, events: Sequence[Event]) -> list[Observation]:
        if any("poison" in (event.text or "") for event in events):
            raise ValueError("poison")
        self.read += [event.id for event in events]
        return [
            Observation(event_id=event.id, type="length", at=event.at, value=len(event.text or "")) for event in events
        ]


@dataclass
class Desk:
    """Two tenants at one server."""

    application: Application
    client: httpx.AsyncClient
    readers: Readers
    keys: dict[str, str]

    async def send(self, body: Any, media: str = "application/json", who: str = "ingest") -> httpx.Response:
        content = body if media == LINES or isinstance(body, bytes) else json.dumps(body)
        headers = {"authorization": f"Bearer {self.keys[who]}", "content-type": media}
        return await self.client.post("/v1/events", content=content, headers=headers)

    async def taken(self, body: Any, media: str = "application/json", who: str = "ingest") -> dict[str, Any]:
        response = await self.send(body, media, who)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def get(self, path: str = "", who: str = "admin") -> httpx.Response:
        return await self.client.get(f"/v1/events{path}", headers={"authorization": f"Bearer {self.keys[who]}"})

    async def read_all(self) -> None:
        for _ in range(2 * MOST_ATTEMPTS):
            await read_stream(self.application, "acme")


@asynccontextmanager
async def desk(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    readers = Readers()
    plugins = {"readers": readers, "redaction": RedactionPlugin()}
    async with opened(folder, plugins, tenants=("acme", "other"), clock=lambda: NOW, **settings) as application:
        keys = {
            "ingest": (await application.tenants.create_key("ingest", tenant="acme")).token,
            "admin": (await application.tenants.create_key("admin", tenant="acme")).token,
            "agent": (await application.tenants.create_key("agent", tenant="acme")).token,
            "other": (await application.tenants.create_key("admin", tenant="other")).token,
        }
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Desk(application, client, readers, keys)


def document(number: int, **changes: Any) -> dict[str, Any]:
    text = f"Report {number}: company number {number} names result {number} of quarter {number} today"
    return {"id": f"d{number}", "source": "wire", "at": "2026-03-02T14:00:00Z", "text": text, **changes}


async def test_one_a_batch_and_lines_each_with_its_result(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        one = await at.taken(document(1))
        assert one == {
            "accepted": 1,
            "duplicate": 0,
            "folded": 0,
            "refused": 0,
            "results": [{"index": 0, "id": "d1", "status": "accepted", "reason": "", "of": None}],
            "results_left_out": 0,
        }
        near = document(9, text=document(1)["text"] + " again")
        changed = document(1, text="Something quite different from what the first one said before")
        batch = await at.taken([document(1), changed, near, document(2), {"text": 7}, "no object"])
        assert [(one["status"], one["of"]) for one in batch["results"]] == [
            ("duplicate", "d1"),
            ("refused", None),
            ("folded", "d1"),
            ("accepted", None),
            ("refused", None),
            ("refused", None),
        ]
        assert "another event has this id" in batch["results"][1]["reason"]
        lines = "\n".join(["", json.dumps(document(3)), "{", "\ufffd", json.dumps(document(4, id=None))])
        stream = await at.taken(lines.encode().replace("\ufffd".encode(), b"\xff\xfe"), LINES)
        assert [(one["index"], one["status"]) for one in stream["results"]] == [
            (1, "accepted"),
            (2, "refused"),
            (3, "refused"),
            (4, "accepted"),
        ]
        made_id = stream["results"][3]["id"]
        again = await at.taken(document(4, id=None))
        assert (again["duplicate"], again["results"][0]["of"]) == (1, made_id)

        listed = (await at.get()).json()
        assert [one["id"] for one in listed["events"]] == ["d1", "d9", "d2", "d3", made_id]
        assert listed["unread"] == 5
        assert (await at.get(who="other")).json() == {"events": [], "unread": 0, "undetected": 0}
        assert (await at.get("/d1", who="other")).status_code == 404
        assert (await at.send(document(5), who="agent")).status_code == 403
        assert (await at.send(b"[", "application/json")).status_code == 400
        assert (await at.send([], "application/json")).status_code == 422
        assert (await at.send(b"x", "text/plain")).status_code == 415


async def test_dates_are_read_by_the_clock_of_their_source(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.application.tenants.set_setting("acme", "events.time_zone", "Europe/Lisbon")
        await at.application.tenants.set_setting("acme", "events.time_zones", {"ny": "America/New_York"})
        sent = {
            "a": ("wire", "2026-03-02T14:00:00"),
            "b": ("ny", "2026-03-02T14:00:00"),
            "c": ("ny", "2026-03-02T14:00:00+02:00"),
            "d": ("ny", "Mon, 02 Mar 2026 14:00:00 -0500"),
            "e": ("ny", None),
        }
        rows = [document(n, id=name, source=who, at=said) for n, (name, (who, said)) in enumerate(sent.items())]
        taken = await at.taken(rows)
        assert taken["accepted"] == 5, taken
        assert "no date" in taken["results"][4]["reason"]
        found = {one["id"]: one["at"] for one in (await at.get()).json()["events"]}
        assert found == {
            "a": "2026-03-02T14:00:00Z",
            "b": "2026-03-02T19:00:00Z",
            "c": "2026-03-02T12:00:00Z",
            "d": "2026-03-02T19:00:00Z",
            "e": "2026-03-02T20:00:00Z",
        }


BAD = {
    "lies in the future": {"at": "2026-03-03T20:00:00Z"},
    "lies before 1990": {"at": "0099-01-01T00:00:00Z"},
    "out of range": {"at": "0001-01-01T00:00:00+14:00"},
    "no date that is understood": {"at": "last Tuesday"},
    "binary data": {"text": "PK\x03\x04\x00\x00"},
    "wrong encoding": {"text": "caf\ufffd cr\ufffdme"},
    "at most 100000": {"text": "long " * 20_001},
    "a document needs one": {"text": None},
    "it is empty": {"text": " \n "},
    "no text in it": {"text": "<script>alert(1)</script>", "format": "html"},
    "at characters": {"url": "javascript:alert(1)"},
    "levels deep": {"data": {"x": json.loads("[" * 100 + "]" * 100)}},
}


async def test_a_bad_document_is_refused_with_its_reason_and_stops_no_other(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        bad = list(BAD.values())
        rows = [row for n, changes in enumerate(bad) for row in (document(n, id=f"bad{n}", **changes), document(n))]
        huge = json.dumps(document(99, text="x" * 10_000_000))
        body = "\n".join([*map(json.dumps, rows), huge, json.dumps(document(100))])
        taken = await at.taken(body.encode(), LINES)
        assert (taken["accepted"], taken["refused"]) == (len(bad) + 1, len(bad) + 1), taken
        refused = [one["reason"] for one in taken["results"] if one["status"] == "refused"]
        for (said, _), reason in zip([*list(BAD.items()), ("line is larger", {})], refused, strict=True):
            if said != "at characters":
                assert said in reason

        page = "<html><style>p{}</style><p onclick='x()'>Profit <b>rises</b></p><iframe src='//evil'></iframe><script>bad()"
        await at.taken(document(101, text=page, format="html"))
        assert (await at.get("/d101")).json()["text"] == "Profit rises"


async def test_what_was_published_is_kept_while_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:

        async def loading(*_: Any, **__: Any) -> None:
            await asyncio.sleep(3600)

        monkeypatch.setattr(at.application.models, "request_for", loading)
        async with asyncio.timeout(30):
            assert (await at.taken([document(1), document(2)]))["accepted"] == 2


async def test_one_bad_document_of_an_array_stops_no_other(tmp_path: Path) -> None:
    async with desk(tmp_path, events={"max_batch_bytes": 12_000_000}) as at:
        deep = json.loads("[" * 100 + "]" * 100)
        odd = [document(1), document(2, text="x" * 10_000_000), document(3, data={"x": deep}), 7, document(4)]
        taken = await at.taken(odd)
        assert [one["status"] for one in taken["results"]] == ["accepted", *["refused"] * 3, "accepted"]
        assert "at most 100000 are taken" in taken["results"][1]["reason"]
        assert "64 levels deep" in taken["results"][2]["reason"]
        assert taken["results"][3]["reason"] == "the row is no JSON object"

        latin = json.dumps(
            [document(5), document(6, text="A caf\xe9 opens in Lyon this very week"), document(7)], ensure_ascii=False
        )
        taken = await at.taken(latin.encode("latin-1"))
        assert [one["status"] for one in taken["results"]] == ["accepted", "refused", "accepted"]
        assert "not UTF-8" in taken["results"][1]["reason"]
        half = b'[{"text": "\\ud800 is half a character"}, {"text": "Initech opens an office in Porto for robots"}]'
        taken = await at.taken(half)
        assert [one["status"] for one in taken["results"]] == ["refused", "accepted"]
        marked = b"\xef\xbb\xbf" + json.dumps(document(8)).encode()
        assert (await at.taken(marked))["accepted"] == 1
        for wrong in (b"\xff\xfe[", b'{"text": "\xe9"}', b'[{"data": {"x": NaN}}, "\xe9"]', b"[" * 5000 + b'"\xe9"'):
            assert (await at.send(wrong)).status_code == 400
        assert (await at.send(b'[{"text": "' + b"x" * 12_000_000 + b'"}]')).status_code == 413

        named = [
            {"txt": "Acme"},
            document(9, id="a b"),
            document(10, url="javascript:alert(1)"),
            document(11, source="\n"),
        ]
        reasons = [one["reason"] for one in (await at.taken(named))["results"]]
        assert reasons[0] == "txt: there is no such field. Did you mean 'text'?"
        assert reasons[1] == "id: 1 to 200 visible characters of ASCII, no blanks"
        assert "begins with http:// or https://" in reasons[2]
        assert reasons[3].startswith("source: 1 to 200 characters")


async def test_what_people_typed_is_redacted_and_what_was_published_is_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        text = "write to ana@shop.example today please, thank you"
        await at.taken([document(1, text=text), document(2, text=text, user_id="ana", kind="comment", item_id="sofa")])
        assert (await at.get("/d1")).json()["text"] == text
        assert "ana@shop.example" not in (await at.get("/d2")).json()["text"]


async def test_what_people_typed_is_redacted_however_long_a_load_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        caller = Caller(id="command line", role="admin")
        request = await at.application.models.request_for("acme", caller)
        ingestion = EventIngestion(at.application, "acme", caller, request.settings)
        monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 3600.0)
        typed = document(1, text="write to ana@shop.example", user_id="ana", kind="comment", item_id="sofa")
        (taken,) = await ingestion.take([(0, typed)])

        assert taken.status == "accepted", taken.reason
        assert "ana@shop.example" not in (await at.get("/d1")).json()["text"]


async def test_events_are_read_in_order_and_one_that_fails_is_set_aside(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.taken([document(n) for n in range(5)] + [document(7, text="poison")])
        await at.taken([document(8), document(9, text=document(8)["text"] + " again")])
        assert ("acme", EVENTS) in await keep_schedules(at.application)
        await at.read_all()
        assert at.readers.read == ["d0", "d1", "d2", "d3", "d4", "d8"]
        shown = (await at.get("/d3")).json()
        assert [(one["type"], one["value"]) for one in shown["observations"]] == [("length", len(shown["text"]))]
        listed = (await at.get("?status=set_aside")).json()
        assert [(one["id"], one["attempts"], listed["unread"]) for one in listed["events"]] == [("d7", 2, 0)]
        assert "poison" in listed["events"][0]["error"]

        headers = {"authorization": f"Bearer {at.keys['ingest']}"}
        again = await at.client.post("/v1/events/d7/read-again", headers=headers)
        assert again.status_code == 204
        assert (await at.client.post("/v1/events/d3/read-again", headers=headers)).status_code == 404
        assert (await at.get("?status=new")).json()["unread"] == 1


async def test_too_long_a_backlog_is_answered_with_when_to_come_back(tmp_path: Path) -> None:
    async with desk(tmp_path, events={"max_unread": 3}) as at:
        assert (await at.taken([document(1), document(2)]))["accepted"] == 2
        busy = await at.send([document(3), document(4)])
        assert busy.status_code == 503
        assert busy.headers["retry-after"] == "10"
        assert "wait to be read" in busy.json()["detail"]
        await at.read_all()
        assert (await at.taken([document(3), document(4)]))["accepted"] == 2

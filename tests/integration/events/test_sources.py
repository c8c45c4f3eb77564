"""Feeds and folders: fetched by a worker's schedule, each document once, and what cannot be used told with its reason."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")
pytest.importorskip("feedparser", reason="needs the extra rejoinder[events]")
pytest.importorskip("selectolax", reason="needs the extra rejoinder[events]")

from rejoinder.application import Application
from rejoinder.events.sources import poll_now
from rejoinder.learning.schedules import SOURCES, keep_schedules
from rejoinder.serving.app import create_app
from rejoinder.store.events import list_events
from rejoinder_plugins.feeds import FeedsPlugin
from rejoinder_plugins.folders import FoldersPlugin
from rejoinder_plugins.folders.inbox import poll_folder

from tests.support.application import opened

RSS = """<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><title>Wire</title>{items}</channel></rss>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title>
<entry><id>tag:1</id><title>Acme buys a maker of tablets &amp; pens</title><updated>2026-03-02T14:00:00+02:00</updated>
<link href="https://news.example/1"/><content type="html">&lt;p&gt;For &lt;b&gt;all&lt;/b&gt; schools&lt;/p&gt;</content></entry></feed>"""


def item(number: int, *, title: str = "", at: str | None = "Mon, 02 Mar 2026 14:00:00 -0500", body: str = "") -> str:
    date = "" if at is None else f"<pubDate>{at}</pubDate>"
    said = title or f"Company number {number} names result {number} of quarter {number} today"
    return (
        f"<item><guid>g{number}</guid><title>{said}</title>{date}<description><![CDATA[{body}]]></description></item>"
    )


@dataclass
class Site:
    """A web site of others."""

    url: str
    pages: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def show(self, path: str, body: str | bytes, **headers: str) -> None:
        content = body if isinstance(body, bytes) else body.encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = lambda _: (200, named, content)


@contextmanager
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            there.asked.append(asked)
            status, headers, body = there.pages[self.path](asked) if self.path in there.pages else (404, {}, b"")
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """Two tenants at one server."""

    application: Application
    client: httpx.AsyncClient
    clock: Clock
    keys: dict[str, str]
    inbox: Path

    async def ask(self, method: str, path: str = "", who: str = "admin", **kwargs: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, f"/v1/sources{path}", headers=headers, **kwargs)

    async def put(self, source: str, who: str = "admin", **values: Any) -> dict[str, Any]:
        response = await self.ask("PUT", f"/{source}", who, json=values)
        assert response.status_code == 200, response.text
        return response.json()

    async def shown(self, source: str) -> dict[str, Any]:
        return (await self.ask("GET", f"/{source}")).json()

    async def texts(self, tenant: str = "acme") -> list[str]:
        return [row.text or "" for row in await list_events(self.application.database, tenant)]


@asynccontextmanager
async def desk(folder: Path, hosts: tuple[str, ...] = ("127.0.0.1",)) -> AsyncIterator[Desk]:
    clock = Clock()
    plugins = {"feeds": FeedsPlugin(), "folders": FoldersPlugin()}
    async with opened(
        folder, plugins, tenants=("acme", "other"), clock=clock, security={"api_hosts": list(hosts)}
    ) as application:
        roles = {"admin": "acme", "ingest": "acme", "analyst": "acme"}
        keys = {role: (await application.tenants.create_key(role, tenant=at)).token for role, at in roles.items()}
        keys["other"] = (await application.tenants.create_key("admin", tenant="other")).token
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Desk(application, client, clock, keys, folder / "inbox" / "acme")


async def test_a_worker_fetches_a_feed_where_it_has_changed(tmp_path: Path) -> None:
    with site() as there:

        def feed(asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
            if asked.get("if-none-match") == '"v1"' and asked.get("if-modified-since") == "yesterday":
                return 304, {}, b""
            body = RSS.format(encoding="utf-8", items=item(2, at="2026-03-02T14:00:00") + item(1, at=None))
            return 200, {"ETag": '"v1"', "Last-Modified": "yesterday"}, body.encode()

        there.pages["/rss"] = feed
        there.pages["/moved"] = lambda _: (301, {"Location": "/rss"}, b"")
        async with desk(tmp_path) as at:
            made = await at.put("wire", kind="feed", location=f"{there.url}/moved", time_zone="America/New_York")
            assert (made["failures"], made["polled_at"], made["taken"]) == (0, None, {})
            assert ("acme", SOURCES) in await keep_schedules(at.application)
            rows = await list_events(at.application.database, "acme")
            assert [(row.source, row.at.isoformat()) for row in rows] == [
                ("wire", "2026-03-02T20:00:00+00:00"),
                ("wire", "2026-03-02T19:00:00+00:00"),
            ]
            assert rows[0].data == {"entry": "g1"}
            assert (await at.shown("wire"))["taken"] == {"accepted": 2}
            assert ("acme", SOURCES) not in await keep_schedules(at.application), "it is not due"
            at.clock.now += timedelta(seconds=301)
            assert ("acme", SOURCES) in await keep_schedules(at.application)
            assert there.asked[-1]["if-none-match"] == '"v1"'
            assert (await at.shown("wire"))["taken"] == {"accepted": 2}
            there.show("/rss", RSS.format(encoding="utf-8", items=item(1, at=None) + item(3)))
            assert (await at.ask("POST", "/wire/poll", "ingest")).status_code == 202
            at.clock.now += timedelta(seconds=1)
            await keep_schedules(at.application)
            assert (await at.shown("wire"))["taken"] == {"accepted": 3, "duplicate": 1}


async def test_what_a_server_calls_a_version_may_be_no_header_to_send_back(tmp_path: Path) -> None:
    with site() as there:
        there.show("/rss", RSS.format(encoding="utf-8", items=item(1)), etag='"caf\xe9"')
        async with desk(tmp_path) as at:
            await at.put("wire", kind="feed", location=f"{there.url}/rss")
            for _ in range(2):
                assert (await poll_now(at.application, "acme", "wire")).error == ""


async def test_an_entry_that_was_changed_is_another_document(tmp_path: Path) -> None:
    with site() as there:
        async with desk(tmp_path) as at:
            await at.put("wire", kind="feed", location=f"{there.url}/rss")
            for title in (
                "Acme says that profit rises this quarter",
                "Acme says that it has no profit to speak of at all",
            ):
                there.show("/rss", RSS.format(encoding="utf-8", items=item(1, title=title)))
                await poll_now(at.application, "acme", "wire")
            assert len(await at.texts()) == 2


async def test_atom_encodings_and_hostile_pages(tmp_path: Path) -> None:
    with site() as there:
        there.show("/atom", ATOM, content_type="application/atom+xml")
        latin = RSS.format(encoding="iso-8859-1", items=item(1, title="Caf\xe9 cr\xe8me sells more than tea this year"))
        there.show("/latin", latin.encode("latin-1"), content_type="application/rss+xml")
        evil = item(2, body="<script>alert(1)</script><p onclick='x()'>Sales fall</p><iframe src='//evil'></iframe>")
        future = item(3, at="Tue, 02 Mar 2100 14:00:00 GMT")
        ancient = item(4, at="Tue, 02 Mar 1802 14:00:00 GMT")
        odd = item(5, at="the day before yesterday")
        long = item(6, body="long " * 30_000)
        empty = "<item><guid>g7</guid></item>"
        there.show("/evil", RSS.format(encoding="utf-8", items="".join((evil, future, ancient, odd, long, empty))))
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        file = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        for path, head, entity in (("/bomb", bomb + "]>", "&i;"), ("/file", file, "&f;")):
            there.show(
                path,
                f"{head}<rss version='2.0'><channel>{item(9, title=f'Head {entity} tail of it all')}</channel></rss>",
            )
        async with desk(tmp_path) as at:
            for name in ("atom", "latin", "evil", "bomb", "file"):
                await at.put(name, kind="feed", location=f"{there.url}/{name}")
                await poll_now(at.application, "acme", name)
            rows = {row.source: row for row in await list_events(at.application.database, "acme")}
            assert rows["atom"].text == "Acme buys a maker of tablets & pens\nFor all schools"
            assert (rows["atom"].url, rows["atom"].at.hour) == ("https://news.example/1", 12)
            assert "Caf\xe9 cr\xe8me" in (rows["latin"].text or "")
            assert (rows["evil"].text or "").endswith("Sales fall")
            shown = await at.shown("evil")
            assert shown["taken"] == {"accepted": 1, "refused": 5}
            assert [
                sum(reason in problem for problem in shown["problems"])
                for reason in ("in the future", "before 1990", "no date that", "at most 100000", "no text")
            ] == [1] * 5
            assert any(problem.startswith("g7: ") for problem in shown["problems"])
            assert all("root:" not in text and len(text) < 100_000 for text in await at.texts())


async def test_a_source_that_fails_says_why_and_is_tried_later_and_later(tmp_path: Path) -> None:
    with site() as there:
        there.show("/page", "<html><body>no feed</body></html>", content_type="text/html")
        there.show("/huge", b"x" * 10_000_001)
        there.pages["/loop"] = lambda _: (302, {"Location": "/loop"}, b"")
        there.pages["/away"] = lambda _: (302, {"Location": "http://localhost:1/secret"}, b"")
        there.pages["/nowhere"] = lambda _: (302, {"Location": "http://127.0.0.1:99999/"}, b"")
        there.pages["/inside-out"] = lambda _: (302, {"Location": "file:///etc/passwd"}, b"")
        there.show("/rss", RSS.format(encoding="utf-8", items=item(1)))
        reasons = {
            "page": "neither RSS nor Atom",
            "huge": "larger than 10000000",
            "loop": "more than 5 times",
            "away": "does not list this host",
            "nowhere": "redirects to what is no address",
            "inside-out": "redirects to what is no address",
            "gone": "status 404",
        }
        async with desk(tmp_path) as at:
            for name in reasons:
                await at.put(name, kind="feed", location=f"{there.url}/{name}", every_s=60.0)
            await at.put("inside", kind="feed", location="http://169.254.169.254/latest")
            await at.put("words", kind="feed", location="file:///etc/passwd")
            await at.put("what", kind="fax", location="1")
            await at.put("good", kind="feed", location=f"{there.url}/rss")
            for _ in range(3):  # eight at once
                await keep_schedules(at.application)
                at.clock.now += timedelta(seconds=1)
            listed = {one["id"]: one for one in (await at.ask("GET")).json()["sources"]}
            more = {"inside": "does not list", "words": "is an address such as", "what": "no plugin of this tenant"}
            for name, reason in (reasons | more).items():
                assert reason in listed[name]["error"], name
                assert listed[name]["failures"] == 1
            assert (listed["good"]["error"], listed["good"]["taken"]) == (None, {"accepted": 1})
            waits = []
            for _ in range(3):
                await poll_now(at.application, "acme", "gone")
                shown = await at.shown("gone")
                waits.append((datetime.fromisoformat(shown["next_poll_at"]) - at.clock.now).total_seconds())
            assert waits == [240, 480, 960]
            there.show("/gone", RSS.format(encoding="utf-8", items=item(5)))
            await poll_now(at.application, "acme", "gone")
            assert (await at.shown("gone"))["failures"] == 0


def written(folder: Path, name: str, content: str | bytes, *, age_s: float = 60) -> Path:
    """Put a file into a folder, as if it had last been changed so long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return path


async def test_files_are_read_once_and_moved_when_what_they_say_is_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.put("desk", kind="folder", location="news", time_zone="Asia/Tokyo")
        await poll_now(at.application, "acme", "desk")
        news = at.inbox / "news"
        assert news.is_dir()
        many = [{"id": f"n{n}", "text": f"Document {n} tells what number {n} did at {n}"} for n in range(600)]
        lines = [json.dumps(one) for one in many]
        deep = '{"text": "deep", "data": {"x": ' + "[" * 100 + "]" * 100 + "}}"
        lines[300:300] = [
            deep,
            json.dumps({"text": "x" * 9_000_000}),
            "y" * 11_000_000,
            "{",
            json.dumps({"text": "PK\x03\x04"}),
            json.dumps({"id": "n1", "text": "another one"}),
            "7",
        ]
        written(news, "a.jsonl", "\n".join(lines))
        written(news, "b.csv", "at,text\n2026-03-02T20:00:00,Acme opens a branch in Osaka this year\n1,2,3\n")
        written(news, "c.txt", "Acme closes its branch in Kyoto this year")
        written(news, "d.txt", b"caf\xe9")
        written(news, "e.csv", "")
        written(news, "f.pdf", b"%PDF")
        written(news, "g.txt", "still being written", age_s=-3600)
        (news / "h.txt").symlink_to("/etc/passwd")
        found = await poll_now(at.application, "acme", "desk")
        assert found.error == ""
        assert found.counts == {"accepted": 602, "refused": 3}
        told = " ".join(found.problems)
        assert all(
            name in told for name in ("a.jsonl", "b.csv", "d.txt", "e.csv", "f.pdf", "another event has this id")
        )
        assert all(reason in told for reason in ("levels deep", "at most 100000", "larger than 10000000", "not JSON"))
        assert sorted(path.name for path in (news / "done").iterdir()) == ["a.jsonl", "b.csv", "c.txt"]
        assert sorted(path.name for path in (news / "failed").iterdir()) == ["d.txt", "e.csv"]
        assert sorted(path.name for path in news.iterdir() if not path.is_dir()) == ["f.pdf", "g.txt", "h.txt"]
        rows = await list_events(at.application.database, "acme", limit=1000)
        osaka = next(row for row in rows if "Osaka" in (row.text or ""))
        assert osaka.at == datetime(2026, 3, 2, 11, tzinfo=UTC)
        written(news, "c.txt", "Acme closes its branch in Kyoto this year")
        again = await poll_now(at.application, "acme", "desk")
        assert again.counts == {"duplicate": 1}
        assert (news / "done" / "2-c.txt").exists()
        assert len(await list_events(at.application.database, "acme", limit=1000)) == len(rows)


async def test_a_process_that_ends_between_reading_and_moving_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        await at.put("desk", kind="folder", location=".")
        written(at.inbox, "a.txt", "Acme closes its branch in Kyoto this year")

        async def dies(*_: Any, **__: Any) -> bool:
            raise KeyboardInterrupt

        with monkeypatch.context() as killed:
            killed.setattr("rejoinder.store.sources.source_polled", dies)
            with pytest.raises(KeyboardInterrupt):
                await poll_now(at.application, "acme", "desk")
        assert (at.inbox / "a.txt").exists()
        assert (await poll_now(at.application, "acme", "desk")).counts == {"duplicate": 1}
        assert (at.inbox / "done" / "a.txt").exists()
        assert len(await at.texts()) == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_what_is_written_to_a_file_after_it_was_read_is_read_too(tmp_path: Path, name: str) -> None:
    first, more = {
        "a.jsonl": ('{"text": "one"}\n{"text": "tw', 'o"}\n'),
        "a.csv": ("text\none\ntw", "o\n"),
        "a.txt": ("one and tw", "o"),
    }[name]
    written(tmp_path, name, first, age_s=60)
    poll = poll_folder(tmp_path, None)
    written(tmp_path, name, first + more, age_s=30)
    poll = poll_folder(tmp_path, poll.cursor)
    assert [row["text"] for row in poll.rows] == (["one and two"] if name == "a.txt" else ["one", "two"])
    assert poll_folder(tmp_path, poll.cursor).rows == ()
    assert [path.name for path in (tmp_path / "done").iterdir()] == [name]


def test_a_file_that_is_replaced_while_it_is_read_is_read_from_its_beginning(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"number {number}"}) for number in range(300)]
    written(tmp_path, "a.jsonl", "\n".join(lines), age_s=60)
    poll = poll_folder(tmp_path, None)
    assert len(poll.rows) == 256
    others = [line.replace("number", "Number") for line in lines]
    written(tmp_path, "a.jsonl", "\n".join(others), age_s=30)
    assert poll_folder(tmp_path, poll.cursor).rows[0] == {"text": "Number 0"}


def test_what_is_written_at_the_moment_of_the_move_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "a.txt", "one", age_s=60)
    poll = poll_folder(tmp_path, None)
    move = Path.rename

    def late(path: Path, target: Path) -> Path:
        if target.parent.name == "done":
            written(tmp_path, "a.txt", "one and two", age_s=30)
        return move(path, target)

    with monkeypatch.context() as writer:
        writer.setattr(Path, "rename", late)
        poll = poll_folder(tmp_path, poll.cursor)
    assert [row["text"] for row in poll.rows] == ["one and two"]


async def test_nobody_reaches_anothers_sources_or_folders(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.put("desk", kind="folder", location=".")
        assert (await at.ask("GET", who="other")).json() == {"sources": []}
        for method, path in (("GET", "/desk"), ("DELETE", "/desk"), ("POST", "/desk/poll")):
            assert (await at.ask(method, path, "other")).status_code == 404
        values = {"kind": "folder", "location": "../acme"}
        assert (await at.ask("PUT", "/spy", "ingest", json=values)).status_code == 403
        assert (await at.ask("GET", "", "analyst")).status_code == 403
        written(at.inbox, "a.txt", "A secret of Acme that nobody else may read")
        (tmp_path / "inbox" / "other").mkdir()
        (tmp_path / "inbox" / "other" / "link").symlink_to(at.inbox)
        for location in ("../acme", str(at.inbox), "link"):
            await at.put("spy", "other", kind="folder", location=location)
            found = await poll_now(at.application, "other", "spy")
            assert "below the tenant's own folder" in found.error
        assert await at.texts("other") == []
        wrong = {"kind": "feed", "location": "https://a.example", "time_zone": "Mars/Base"}
        assert (await at.ask("PUT", "/x", json=wrong)).status_code == 422
        assert (await at.ask("PUT", "/a%20b", json=values)).status_code == 422
        assert (await at.ask("DELETE", "/desk")).status_code == 204
        assert (await at.ask("GET", "/desk")).status_code == 404

"""What people do with items, taken in over HTTP: events a second that are durable, and the time of a list meanwhile.

    python benchmarks/behaviour_rate.py [--events 20000] [--batch 500] [--items 2000] [--senders 1] [--json OUT]

A real server with its defaults (SQLite, synchronous=FULL, one worker that reads the events) has a tenant with a catalogue. Each sender has
a connection of its own and sends batches of JSON lines one after another: views, clicks, purchases and ratings of 5,000 users, drawn with
seed 0, every twentieth about an item that the catalogue lacks, every fiftieth sent twice. While they send, a list of 10 is asked for every
half second. At the end every event is counted: accepted, duplicate, none lost. Wanted: 1,000 events a second on 2 cores.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rejoinder_customer_service.demo.server import RunningServer, running_server

WANTED = 1000.0
TENANT = "shop"
USERS = 5000
WITH_WORKER = {"REJOINDER_WORKERS__LOCAL": "true"}
KINDS = ("view", "view", "view", "click", "click", "add", "buy", "rate")


class Caller:
    """One connection of the tenant's backend."""

    def __init__(self, server: RunningServer, tenant: str | None = TENANT) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=600)
        self._headers = {"Authorization": f"Bearer {server.operator_key}"}
        if tenant is not None:
            self._headers["Rejoinder-Tenant"] = tenant

    def post(self, path: str, body: bytes, media: str = "application/json") -> Any:
        """Post a body; return JSON."""
        self._connection.request("POST", path, body, {**self._headers, "Content-Type": media})
        response = self._connection.getresponse()
        data = response.read()
        if response.status >= 300:
            sys.exit(f"POST {path}: {response.status} {data[:500].decode()}")
        return json.loads(data)

    def lines(self, path: str, rows: list[dict[str, Any]]) -> Any:
        """Post rows as JSON lines; return JSON."""
        return self.post(path, b"\n".join(json.dumps(row).encode() for row in rows), "application/x-ndjson")


def made_events(count: int, items: int) -> list[dict[str, Any]]:
    """Return events; every fiftieth is there twice."""
    drawn = random.Random(0)  # no secret
    begun = datetime.now(UTC) - timedelta(days=30)
    events: list[dict[str, Any]] = []
    for number in range(count):
        if number % 50 == 49:
            events.append(events[-1])
            continue
        kind = drawn.choice(KINDS)
        event = {
            "id": f"e{number}",
            "kind": kind,
            "at": (begun + timedelta(seconds=number)).isoformat(),
            "user_id": f"u{drawn.randrange(USERS)}",
            "session_id": f"s{number // 20}",
            "item_id": f"i{drawn.randrange(items)}" if number % 20 else f"unknown{number}",
        }
        events.append({**event, "data": {"value": drawn.randrange(11)}} if kind == "rate" else event)
    return events


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    events = made_events(options.events, options.items)
    batches = [events[start : start + options.batch] for start in range(0, len(events), options.batch)]
    with running_server(WITH_WORKER) as server:
        setting_up = Caller(server)
        Caller(server, None).post("/v1/tenants", json.dumps({"id": TENANT}).encode())
        drawn = random.Random(1)  # no secret
        words = [f"word{number}" for number in range(500)]
        catalogue = [
            {"id": f"i{number}", "title": f"Item {number}", "text": " ".join(drawn.sample(words, 8))}
            for number in range(options.items)
        ]
        for start in range(0, len(catalogue), 500):
            setting_up.lines("/v1/items", catalogue[start : start + 500])
        counts, batch_ms, seconds, lists_ms = send(server, batches, options.senders)
    rate = len(events) / seconds
    lost = len(events) - counts["accepted"] - counts["duplicate"]
    report = {
        "events": len(events),
        "batch": options.batch,
        "senders": options.senders,
        "events_per_second": rate,
        "batch_ms_p50": statistics.median(batch_ms),
        "batch_ms_most": max(batch_ms),
        "list_ms_p50": statistics.median(lists_ms) if lists_ms else None,
        "accepted": counts["accepted"],
        "duplicate": counts["duplicate"],
        "lost": lost,
        "reached": rate >= WANTED and not lost,
    }
    print(
        f"{rate:.0f} events a second in batches of {options.batch} by {options.senders} (wanted {WANTED:.0f}); ", end=""
    )
    print(f"{counts['accepted']} accepted, {counts['duplicate']} sent twice, {lost} lost")
    print(f"a batch: p50 {report['batch_ms_p50']:.0f} ms, most {report['batch_ms_most']:.0f} ms; ", end="")
    print(f"a list of 10 meanwhile: p50 {report['list_ms_p50'] or float('nan'):.0f} ms ({len(lists_ms)} lists)")
    print("reached" if report["reached"] else "NOT reached")
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1))


def send(
    server: RunningServer, batches: list[list[dict[str, Any]]], senders: int
) -> tuple[dict[str, int], list[float], float, list[float]]:
    """Send batches; return how many events became what, milliseconds of each batch, seconds of all, milliseconds of each list."""
    counts = {"accepted": 0, "duplicate": 0}
    batch_ms: list[float] = []
    lists_ms: list[float] = []
    over = threading.Event()
    lock = threading.Lock()

    def work(mine: list[list[dict[str, Any]]]) -> None:
        caller = Caller(server)
        for batch in mine:
            begun = time.perf_counter()
            taken = caller.lines("/v1/events", batch)
            with lock:
                batch_ms.append((time.perf_counter() - begun) * 1000)
                for status in counts:
                    counts[status] += taken[status]

    def ask() -> None:
        caller = Caller(server)
        for number in range(10**6):
            begun = time.perf_counter()
            caller.post("/v1/recommendations", json.dumps({"user_id": f"u{number}", "limit": 10}).encode())
            lists_ms.append((time.perf_counter() - begun) * 1000)
            if over.wait(0.5):
                return

    asking = threading.Thread(target=ask)
    asking.start()
    begun = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(work, [batches[number::senders] for number in range(senders)]))
    seconds = time.perf_counter() - begun
    over.set()
    asking.join()
    return counts, batch_ms, seconds, lists_ms


if __name__ == "__main__":
    main()

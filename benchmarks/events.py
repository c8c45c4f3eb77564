"""How many documents a second a deployment takes in and reads, beside what its encoder alone encodes.

    REJOINDER_DATA=<folder of data sets> python benchmarks/events.py [--documents 2000] [--seed 0] [--json OUT]

A real server and a real worker (SQLite, synchronous=FULL, encoder in int8 on all cores). A tenant of the domain
finance_sentiment with the 88 companies of stocknet, its ten topics, the sentiment model of 1,500 shipped headlines, and the watch for
surges. Its documents are headlines with descriptions of cnbc_guardian_headlines, drawn without repetition, sent as JSON lines over HTTP.
The rate is that of the documents read after the first batch was, until the last was read and
looked through for changes. The encoder's own rate is that of the same texts, all at once, in this process, before and after, while the
server is idle.

Wanted: at least 0.6 of the encoder's own rate; every document acknowledged is read, and none is set aside.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder_customer_service.demo.server import RunningServer, running_server

WANTED = 0.6
WARM = 64
LOOK_S = 0.2
PATIENCE_S = 1800.0


def documents(folder: Path, count: int, seed: int) -> list[str]:
    """Return headlines with their descriptions."""
    with gzip.open(
        folder / "cnbc_guardian_headlines" / "cnbc_headlines.csv.gz", "rt", encoding="utf-8", newline=""
    ) as file:
        rows = [(row["Headlines"], row["Description"]) for row in csv.DictReader(file)]
    texts = sorted({f"{head.strip()}\n{told.strip()}" for head, told in rows if head and told})
    return random.Random(seed).sample(texts, min(count, len(texts)))


def companies(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the companies of stocknet, by ticker."""
    lines = (folder / "stocknet" / "StockTable.txt").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines if line.count("\t") == 2]
    return {ticker.strip("$ "): {"name": name.strip(), "tickers": [ticker.strip("$ ")]} for _, ticker, name in rows}


def encoder_rate(encoder: Encoder, texts: list[str]) -> float:
    """Return texts a second, all at once."""
    begun = time.perf_counter()
    encoder.encode(texts)
    return len(texts) / (time.perf_counter() - begun)


@contextmanager
def running_worker(server: RunningServer, settings: dict[str, str]) -> Iterator[None]:
    """Start a worker over a server's data, and stop it at the end."""
    environment = {**os.environ, **settings, "REJOINDER_CONFIG": str(server.log.parent / "rejoinder.toml")}
    command = [sys.executable, "-m", "rejoinder", "worker"]
    with (server.log.parent / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


class Stream:
    """The stream of one tenant at a server."""

    def __init__(self, server: RunningServer) -> None:
        headers = {"authorization": f"Bearer {server.operator_key}"}
        self._client = httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=600)

    def begin(self, watched: dict[str, dict[str, Any]]) -> None:
        """Make the tenant."""
        settings = {"finance_sentiment": {"companies": watched}}
        self._client.post("/tenants", json={"id": "bench", "settings": settings}).raise_for_status()
        self._client.headers["rejoinder-tenant"] = "bench"

    def send(self, texts: list[str], begun: int) -> dict[str, Any]:
        """Send documents as lines; return what became of them."""
        lines = "\n".join(json.dumps({"id": f"d{begun + n}", "text": text}) for n, text in enumerate(texts))
        answer = self._client.post("/events", content=lines.encode(), headers={"content-type": "application/x-ndjson"})
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def wait(self) -> tuple[float, int]:
        """Wait until all was read and looked through; return when the first of them were seen to be read, and how many were left then."""
        until = time.monotonic() + PATIENCE_S
        most, first = 0, (time.perf_counter(), 0)
        while time.monotonic() < until:
            told = self._client.get("/events", params={"limit": 1}).raise_for_status().json()
            most = max(most, told["unread"])
            if told["unread"] == most:
                first = (time.perf_counter(), most)
            elif first[1] == most:
                first = (time.perf_counter(), told["unread"])
            if not told["unread"] + told["undetected"]:
                return first
            time.sleep(LOOK_S)
        sys.exit("the worker did not read all in time")

    def set_aside(self) -> int:
        """Return how many could not be read."""
        return len(self._client.get("/events", params={"status": "set_aside"}).raise_for_status().json()["events"])


def main() -> int:
    """Print both rates and their ratio; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if "REJOINDER_DATA" not in os.environ:
        print("skipped: set REJOINDER_DATA to the folder that holds cnbc_guardian_headlines/ and stocknet/")
        return 0
    folder = Path(os.environ["REJOINDER_DATA"])
    cores = len(os.sched_getaffinity(0))
    texts = documents(folder, chosen.documents + WARM, chosen.seed)
    warm, texts = texts[:WARM], texts[WARM:]
    encoder = load_encoder("default", threads=cores, backend="onnx-int8")
    encoder.encode(warm)
    settings = {
        "REJOINDER_WORKERS__LEASE_S": "4",  # the worker looks for work each second, so that no pause is measured
        "REJOINDER_ENCODER__BACKEND": "onnx-int8",
        "REJOINDER_ENCODER__THREADS": str(cores),
        "REJOINDER_PLUGINS__DISABLED": '["customer_service", "recommendation"]',
    }
    with running_server(settings) as server, running_worker(server, settings):
        stream = Stream(server)
        stream.begin(companies(folder))
        stream.send(warm, 0)
        stream.wait()  # the sentiment model is fitted, and all is loaded
        before = encoder_rate(encoder, texts)
        begun = time.perf_counter()
        told = stream.send(texts, WARM)
        taken_s = time.perf_counter() - begun
        first, left = stream.wait()
        end = time.perf_counter()
        after = encoder_rate(encoder, texts)
        aside = stream.set_aside()
    read = told["accepted"]
    rate = left / (end - first)
    own = 2 / (1 / before + 1 / after)
    found = {
        "documents": len(texts),
        "accepted": read,
        "folded": told["folded"],
        "set_aside": aside,
        "seed": chosen.seed,
        "cores": cores,
        "taken_per_s": round(len(texts) / taken_s, 1),
        "first_read_after_s": round(first - begun, 2),
        "all_read_after_s": round(end - begun, 2),
        "read_per_s": round(rate, 1),
        "encoder_per_s": round(own, 1),
        "encoder_before_after": [round(before, 1), round(after, 1)],
        "ratio": round(rate / own, 3),
        "wanted": WANTED,
    }
    for name, value in found.items():
        print(f"{name:<22}{value}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    missed = found["ratio"] < WANTED or aside or read + told["folded"] < len(texts)
    print("missed" if missed else "as wanted")
    return 0


if __name__ == "__main__":
    sys.exit(main())

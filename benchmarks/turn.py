"""A turn over HTTP beside the encoder's own time for the same text: what everything around the model costs.

    REJOINDER_DATA=<folder of data sets> python benchmarks/turn.py [--turns 600] [--json OUT]

A real server (SQLite, synchronous=FULL, every turn durable) serves a tenant whose model was fitted on all of banking77's train
split; one client asks texts of the test split that it never repeats, over one connection. In the same run the encoder encodes the
same texts by itself, tokenising included, with as many threads as the server gives it. Before and after, so that a machine that
changes its speed shows. Wanted: p50 at most 1.6 times, p99 at most 4 times the encoder's own.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import http.client
import json
import os
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder_customer_service.demo.server import running_server

WANTED = {"p50": 1.6, "p99": 4.0}
WARM_UP = 50


class Client:
    """One keep-alive connection of one caller; as cheap as the standard library allows."""

    def __init__(self, url: str, token: str, tenant: str | None = None) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if tenant is not None:
            self._headers["Rejoinder-Tenant"] = tenant

    def reconnect(self) -> None:
        """Open a new connection: the server closes those that were idle for some seconds."""
        self._connection.close()

    def post(self, path: str, body: object) -> dict[str, str]:
        """Post JSON; return JSON."""
        self._connection.request("POST", path, json.dumps(body), self._headers)
        response = self._connection.getresponse()
        data = response.read()
        if response.status >= 300:
            sys.exit(f"POST {path}: {response.status} {data.decode()}")
        found: dict[str, str] = json.loads(data)
        return found


def banking77(split: str) -> list[dict[str, str]]:
    """Return the rows of a split as text and label."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/")
        sys.exit(0)
    with gzip.open(Path(folder) / "banking77" / f"{split}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": row["category"]} for row in csv.DictReader(file)]


def open_tenant(url: str, operator_key: str) -> Client:
    """Make a tenant, teach it all of banking77's train split, and return a customer of it."""
    operator = Client(url, operator_key)
    operator.post(
        "/v1/tenants",
        {"id": "bench", "settings": {"customer_service": {"catalogue": "banking77", "examples_per_intent": 1}}},
    )
    admin = Client(url, operator_key, "bench")
    admin.post("/v1/examples", [{**row, "task": "intent"} for row in banking77("train")])
    token = admin.post("/v1/tokens", {"user_id": "customer"})["token"]
    return Client(url, token)


def time_turns(client: Client, texts: list[str]) -> list[float]:
    """Return the milliseconds of each turn."""
    client.reconnect()
    conversation = client.post("/v1/conversations", {})["id"]
    times = []
    for text in texts:
        started = time.perf_counter()
        client.post(f"/v1/conversations/{conversation}/messages", {"text": text})
        times.append((time.perf_counter() - started) * 1e3)
    return times


def time_encoder(encoder: Encoder, texts: list[str]) -> list[float]:
    """Return the milliseconds that the encoder takes for each text."""
    times = []
    for text in texts:
        started = time.perf_counter()
        encoder.encode([text])
        times.append((time.perf_counter() - started) * 1e3)
    return times


def percentiles(times: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    return {"p50": statistics.median(times), "p99": sorted(times)[int(len(times) * 0.99)]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A turn over HTTP beside the encoder's own time for the same text.")
    parser.add_argument("--turns", type=int, default=600, help="turns to measure, at most 3000")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    texts = list(dict.fromkeys(row["text"] for row in banking77("test")))[: options.turns + WARM_UP]
    encoder = load_encoder()
    encoder.encode(texts[:4])
    with running_server() as server:
        client = open_tenant(server.url, server.operator_key)
        time_turns(client, texts[:WARM_UP])
        before = time_encoder(encoder, texts[WARM_UP:])
        turn = percentiles(time_turns(client, texts[WARM_UP:]))
        after = time_encoder(encoder, texts[WARM_UP:])
    own = percentiles(before + after)
    report = {
        name: {"encoder_ms": own[name], "turn_ms": turn[name], "ratio": turn[name] / own[name], "wanted": WANTED[name]}
        for name in WANTED
    }
    print(f"{'':<6}{'encoder ms':>12}{'turn ms':>10}{'ratio':>8}{'wanted':>9}")
    for name, row in report.items():
        print(f"{name:<6}{row['encoder_ms']:>12.2f}{row['turn_ms']:>10.2f}{row['ratio']:>8.2f}{row['wanted']:>9}")
    if options.json:
        options.json.write_text(json.dumps({"turns": len(texts) - WARM_UP, **report}, indent=2))


if __name__ == "__main__":
    main()

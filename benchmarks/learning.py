"""From people's corrections to a better model that serves: how long it takes, and what turns notice of it.

    REJOINDER_DATA=<folder of data sets> python benchmarks/learning.py [--parts head,lora,few,turns] [--seconds 10] [--seed 0] [--json OUT]

A real server with the worker that it starts beside itself (SQLite, synchronous=FULL). Its tenant knows 67 of banking77's 77 intents by ten
examples each, and has 500 held-back rows of all 77. Then customers ask about the ten others, in
their own conversations, and correct the answers: five times each, 50 in all. Nobody starts anything. Measured is the time from the 50th
acknowledged correction until a turn is answered by a version that the gate let through (`gate.canary_share = 0`).

- head: the head is fitted anew; wanted under 60 s on two cores.
- lora: an adapter is trained (on a GPU where there is one); wanted under 300 s on two cores.
- few: as head with 20 held-back rows: the gate says how many more it needs.
- turns: a second tenant talks, one message after the other, while the worker trains an adapter for the first on the same machine, and
  when it has stopped; wanted: p50 at most 2 times that without.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
from rejoinder.learning.holdback import held_back
from rejoinder_customer_service.demo.server import RunningServer, running_server

WANTED = {"head": 60.0, "lora": 300.0, "turns": 2.0}
NEW_INTENTS = 10
KNOWN_EACH = 10
TAUGHT_EACH = 5
HELD_BACK = 500
FEW = 20
HEARTBEAT_S = 2.0
KEPT_EVERY = 10
"""The deployment's `learning.hold_back_every`."""
PATIENCE_S = 1800.0

Row = dict[str, str]


class Data:
    """What a tenant starts with and what it is taught, from banking77's train split."""

    def __init__(self, rows: list[Row], seed: int) -> None:
        rows = list({row["text"]: row for row in rows}.values())
        random.Random(seed).shuffle(rows)
        apart = [held_back(row["text"], KEPT_EVERY) for row in rows]
        self.held_back = [row for row, kept in zip(rows, apart, strict=True) if kept]
        by_label = defaultdict(list)
        for row in (row for row, kept in zip(rows, apart, strict=True) if not kept):
            by_label[row["label"]].append(row)
        labels = sorted(by_label)
        new = random.Random(seed).sample(labels, NEW_INTENTS)
        self.known = [row for label in labels if label not in new for row in by_label[label][:KNOWN_EACH]]
        self.taught = [
            row for place in range(TAUGHT_EACH) for label in new for row in by_label[label][place : place + 1]
        ]
        self.spoken = [row["text"] for label in labels for row in by_label[label][KNOWN_EACH + TAUGHT_EACH :]]


def banking77() -> list[Row]:
    """Return the train split as text and label."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/")
        sys.exit(0)
    with gzip.open(Path(folder) / "banking77" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": row["category"]} for row in csv.DictReader(file)]


class Tenant:
    """A tenant of a running server, as its operator sees it."""

    def __init__(self, server: RunningServer, name: str, settings: dict[str, Any]) -> None:
        operator = {"authorization": f"Bearer {server.operator_key}"}
        self.client = httpx.Client(base_url=server.url, headers=operator, timeout=PATIENCE_S)
        self.post("/v1/tenants", {"id": name, "settings": settings})
        self.client.headers["rejoinder-tenant"] = name

    def post(self, path: str, body: object) -> Any:
        """Post JSON; return JSON."""
        answer = self.client.post(path, json=body)
        if not answer.is_success:
            sys.exit(f"POST {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def get(self, path: str) -> Any:
        """Return JSON."""
        return self.client.get(path).raise_for_status().json()

    def conversation(self) -> str:
        """Begin one; return the path of its messages."""
        return f"/v1/conversations/{self.post('/v1/conversations', {})['id']}/messages"

    def begin(self, data: Data, held_back: int) -> None:
        """Load what is known at the start, of which the server makes the first model."""
        rows = [*data.known, *data.held_back[:held_back]]
        self.post("/v1/examples", [{**row, "task": "intent"} for row in rows])
        self.post(self.conversation(), {"text": "hello"})

    def wait_for_run(self, run_id: str) -> dict[str, Any]:
        """Wait until a run is over."""
        while (run := self.get(f"/v1/runs/{run_id}"))["status"] in ("queued", "running"):
            time.sleep(0.2)
        if run["status"] != "done":
            sys.exit(f"the run ended as {run['status']}: {run['error']}")
        found: dict[str, Any] = run
        return found

    def version_serves(self, version_id: str) -> None:
        """Wait until turns are answered by a version."""
        listed = self.get("/v1/models?task=intent")["versions"]
        name = next(f"intent-{one['number']}" for one in listed if one["id"] == version_id)
        path = self.conversation()
        deadline = time.monotonic() + PATIENCE_S
        while self.post(path, {"text": "hello"})["model_versions"].get("intent", "").partition("+")[0] != name:
            if time.monotonic() > deadline:
                sys.exit(f"{name} does not serve: {self.get('/v1/learning/status')['decided'][:1]}")
            time.sleep(0.1)

    def correct(self, data: Data) -> None:
        """Ask about what is new, and say what it was about."""
        for row in data.taught:
            turn = self.post(self.conversation(), {"text": row["text"]})
            body = {"decision_id": turn["decision_id"], "kind": "corrected_intent", "value": row["label"]}
            self.post("/v1/feedback", body)

    def run_of_itself(self) -> str:
        """Wait for a run that nobody asked for; return its id."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for run in self.get("/v1/runs")["runs"]:
                if "new examples" in run["reason"]:
                    return str(run["id"])
            time.sleep(0.1)
        sys.exit("50 corrections started no run")


def serve() -> Any:
    """Start a server with a worker of its own."""
    return running_server(
        {
            "REJOINDER_WORKERS__LOCAL": "true",
            "REJOINDER_GATE__CANARY_SHARE": "0",
            "REJOINDER_LEARNING__HOLD_BACK_EVERY": str(KEPT_EVERY),
            "REJOINDER_LEARNING__ADAPT_AFTER": str(NEW_INTENTS * TAUGHT_EACH),
            "REJOINDER_LEARNING__FEEDBACK_PER_MINUTE": "0",
            "REJOINDER_PLUGINS__DISABLED": '["customer_service", "finance_sentiment"]',
        }
    )


def settings_of(method: str) -> dict[str, Any]:
    """Return a tenant's settings."""
    return {"learner_adaptation": {"method": method}}


def learn(data: Data, method: str, held_back: int) -> dict[str, Any]:
    """Correct 50 times; return how long it took until the better model served, and what the gate said."""
    with serve() as server:
        tenant = Tenant(server, "bench", settings_of(method))
        tenant.begin(data, held_back)
        tenant.correct(data)
        began = time.monotonic()
        run = tenant.wait_for_run(tenant.run_of_itself())
        fitted = time.monotonic() - began
        decided = next(
            one
            for one in tenant.get("/v1/learning/status")["decided"]
            if one["model_version_id"] == run["model_version_id"]
        )
        found = {"decision": decided["action"], "reason": decided["reason"], "run_seconds": fitted}
        if decided["action"] == "promote":
            tenant.version_serves(run["model_version_id"])
            found["seconds"] = time.monotonic() - began
        return found


def turn_p50(tenant: Tenant, texts: list[str], seconds: float) -> dict[str, float]:
    """Talk for a while; return the median milliseconds of a turn, and how many there were."""
    path = tenant.conversation()
    times: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.perf_counter()
        tenant.post(path, {"text": texts.pop()})
        times.append((time.perf_counter() - started) * 1e3)
    return {"p50_ms": statistics.median(times), "turns": len(times)}


def turns(data: Data, seconds: float) -> dict[str, Any]:
    """Measure turns while a worker trains, and without."""
    texts = list(data.spoken)
    rows = [{**row, "task": "intent"} for row in data.known]
    with serve() as server:
        learner = Tenant(server, "learns", settings_of("lora"))
        learner.post("/v1/examples", rows)
        run = learner.post("/v1/runs", {"task": "intent"})["id"]
        talker = Tenant(server, "talks", {})
        talker.post("/v1/examples", rows)
        while not learner.get(f"/v1/runs/{run}")["progress"]:
            turn_p50(talker, texts, 0.2)
        training = turn_p50(talker, texts, seconds)
        still = learner.get(f"/v1/runs/{run}")
        if still["status"] != "running":
            sys.exit(f"the worker was done too soon: {still['status']} {still['error']}")
        learner.post(f"/v1/runs/{run}/cancel", {})
        turn_p50(talker, texts, 2 * HEARTBEAT_S)  # until the worker has heard of it
        without = turn_p50(talker, texts, seconds)
    return {"training": training, "without": without, "ratio": training["p50_ms"] / without["p50_ms"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="From corrections to a better model that serves.")
    parser.add_argument("--parts", default="head,lora,few,turns", help="what to measure, with commas between")
    parser.add_argument("--seconds", type=float, default=10.0, help="for which turns are measured")
    parser.add_argument("--seed", type=int, default=0, help="which intents are new, and which rows are used")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    data = Data(banking77(), options.seed)
    if len(data.held_back) < HELD_BACK:
        sys.exit(f"banking77 has {len(data.held_back)} rows that are held back, and {HELD_BACK} are needed")
    found: dict[str, Any] = {}
    for part in options.parts.split(","):
        if part == "turns":
            found[part] = one = turns(data, options.seconds)
            p50 = {name: f"{one[name]['p50_ms']:.1f} ms" for name in ("training", "without")}
            told = f"p50 while training {p50['training']}, without {p50['without']}: {one['ratio']:.2f} times"
        else:
            method = "lora" if part == "lora" else "head"
            found[part] = one = learn(data, method, FEW if part == "few" else HELD_BACK)
            took = (
                f"serves after {one['seconds']:.1f} s"
                if "seconds" in one
                else f"run over after {one['run_seconds']:.1f} s"
            )
            told = f"{took}; {one['decision']}: {one['reason']}"
        wanted = f" (wanted: at most {WANTED[part]:g})" if part in WANTED else ""
        print(f"{part:<8}{told}{wanted}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, **found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

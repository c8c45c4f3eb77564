"""How long a feedback takes, from the call to what is durable and learned, and what of it the head's closed-form update takes.

    REJOINDER_DATA=<folder of data sets> python benchmarks/feedback.py [--shots 10] [--feedback 200] [--json OUT]

A real application (SQLite, synchronous=FULL, the shipped plugins' rewards, trust in users) with the encoder serves a tenant that knows some
examples of each of banking77's intents. Corrections of texts that it has just answered, so that their vectors are at hand, are given one
after another. Wanted: p50 of a feedback below 20 ms, of which the models take a few.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rejoinder.application import Application
from rejoinder.host import Host, Plugins
from rejoinder.payloads import Caller, Decision, Example
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.decisions import add_decision
from rejoinder.store.examples import add_examples
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin
from rejoinder_plugins.implicit_feedback import ImplicitFeedbackPlugin
from rejoinder_plugins.intent import IntentPlugin

TENANT = "acme"


def banking77(shots: int, count: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return so many examples of each intent, and other texts with their intents."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/")
        sys.exit(0)
    with gzip.open(Path(folder) / "banking77" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]
    seen: dict[str, int] = {}
    known: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    for text, label in rows:
        seen[label] = seen.get(label, 0) + 1
        (known if seen[label] <= shots else rest).append((text, label))
    step = max(1, len(rest) // count)
    return known, rest[::step][:count]


async def measure(known: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]], folder: Path) -> dict[str, Any]:
    """Give the feedback; return milliseconds by part."""
    plugins = Plugins()
    for name, plugin in (
        ("intent", IntentPlugin()),
        ("explicit_feedback", ExplicitFeedbackPlugin()),
        ("implicit_feedback", ImplicitFeedbackPlugin()),
    ):
        plugins.register(plugin, name, "this benchmark")
    host = Host(plugins)
    learning: Any = {"adapt_after": 0}
    loaded = LoadedSettings(DeploymentSettings(data_dir=folder, learning=learning), tenants_dir=folder / "tenants")
    took: dict[str, list[float]] = {"feedback": [], "opinion": [], "learn": []}
    with patch("rejoinder.application.load_host", lambda _: host):
        async with Application.open(loaded) as application:
            await application.tenants.create(TENANT)
            examples = [
                Example(id=f"known-{i}", task="intent", text=text, label=label, source="import")
                for i, (text, label) in enumerate(known)
            ]
            await add_examples(application.database, TENANT, examples)
            for name in ("opinion", "learn"):
                _timed(application.models, name, took[name])
            for number, (text, label) in enumerate(asked):
                caller = Caller(id=f"user-{number % 40}")
                request = await application.models.request_for(TENANT, caller)
                said = await request.models.predict("intent", text)
                decision = Decision(
                    id=f"dec_{number}",
                    kind="turn",
                    task="intent",
                    at=datetime.now(UTC),
                    input=text,
                    user_id=caller.id,
                    label=said.label if said else None,
                )
                await add_decision(application.database, TENANT, decision)
                started = time.perf_counter()
                await application.feedback.give(
                    TENANT, caller, decision_id=decision.id, kind="corrected_intent", value=label
                )
                took["feedback"].append((time.perf_counter() - started) * 1e3)
    return {
        name: {"p50": statistics.median(ones), "p95": sorted(ones)[len(ones) * 19 // 20]} for name, ones in took.items()
    }


def _timed(models: Any, name: str, took: list[float]) -> None:
    method = getattr(models, name)

    async def timed(*args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return await method(*args, **options)
        finally:
            took.append((time.perf_counter() - started) * 1e3)

    setattr(models, name, timed)


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--feedback", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    known, asked = banking77(arguments.shots, arguments.feedback)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(known, asked, Path(folder)))
    for name, figures in found.items():
        print(f"{name:10} p50 {figures['p50']:6.2f} ms   p95 {figures['p95']:6.2f} ms")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

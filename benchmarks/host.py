"""What the host costs: a full turn's hooks through ten plugins that do nothing.

    python benchmarks/host.py [--turns 2000] [--json OUT]

A turn is redact_text, understand_intent, decide_action, retrieve_answers, rank_answers and compose_reply; every plugin
implements all of them. Wanted: under 0.5 ms with `async def` plugins, under 2 ms with `def` plugins (both with deadlines).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import uvloop
from rejoinder import hookimpl
from rejoinder.context import NoModels, Request, utc_now
from rejoinder.host import Host, Plugins
from rejoinder.payloads import Action, Caller, ConversationState, Message, Query, Understanding

PLUGINS = 10
WANTED_MS = {"async def": 0.5, "def": 2.0}


class AsyncPlugin:
    """Implements the hooks of a turn with `async def`, and does nothing."""

    @hookimpl()
    async def redact_text(self, text: str) -> str:
        return text

    @hookimpl()
    async def understand_intent(self, message: Message, context: Any) -> None:
        return None

    @hookimpl()
    async def decide_action(self, message: Message, context: Any) -> None:
        return None

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Any) -> tuple[()]:
        return ()

    @hookimpl()
    async def rank_answers(self, answers: Any, context: Any) -> Any:
        return answers

    @hookimpl()
    async def compose_reply(self, action: Action, context: Any) -> None:
        return None


class DefPlugin:
    """Implements the hooks of a turn with `def`, and does nothing."""

    @hookimpl()
    def redact_text(self, text: str) -> str:
        return text

    @hookimpl()
    def understand_intent(self, message: Message, context: Any) -> None:
        return None

    @hookimpl()
    def decide_action(self, message: Message, context: Any) -> None:
        return None

    @hookimpl()
    def retrieve_answers(self, query: Query, context: Any) -> tuple[()]:
        return ()

    @hookimpl()
    def rank_answers(self, answers: Any, context: Any) -> Any:
        return answers

    @hookimpl()
    def compose_reply(self, action: Action, context: Any) -> None:
        return None


async def one_turn(host: Host) -> None:
    """Call every hook of a turn once."""
    request = Request(
        tenant="t", caller=Caller(id="u"), models=NoModels(), plugins=host.plugin_names, settings={}, session_id="c"
    )
    text = await host.redact_text("where is my card?", "store", request)
    message = Message(id="m", text=text, raw_text=text, at=utc_now())
    state = ConversationState()
    await host.understand_intent(message, state, request)
    await host.decide_action(message, Understanding(), state, request)
    query = Query(text=text)
    answers = await host.retrieve_answers(query, request)
    answers = await host.rank_answers(query, answers, request)
    await host.compose_reply(Action(kind="answer", state=state), answers, state, request)
    assert not request.trace.failures


async def measure(plugin: type, turns: int) -> dict[str, float]:
    """Return the median and 99th percentile of a turn in milliseconds."""
    plugins = Plugins()
    for number in range(PLUGINS):
        plugins.register(plugin(), f"noop-{number}")
    host = Host(plugins)
    for _ in range(200):
        await one_turn(host)
    times = []
    for _ in range(turns):
        started = time.perf_counter()
        await one_turn(host)
        times.append((time.perf_counter() - started) * 1e3)
    host.close()
    return {"p50_ms": statistics.median(times), "p99_ms": sorted(times)[int(len(times) * 0.99)]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=2000, help="turns to measure")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    report = {
        "async def": uvloop.run(measure(AsyncPlugin, options.turns)),
        "def": uvloop.run(measure(DefPlugin, options.turns)),
    }
    print(f"{'plugins':<12}{'p50 ms':>10}{'p99 ms':>10}{'wanted ms':>12}")
    for kind, figures in report.items():
        print(f"{kind:<12}{figures['p50_ms']:>10.3f}{figures['p99_ms']:>10.3f}{WANTED_MS[kind]:>12}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

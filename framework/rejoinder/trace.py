"""Who was called in one request, for how long, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Outcome = Literal["result", "nothing", "error", "timeout", "wrong_result", "skipped"]

FAILURES: frozenset[Outcome] = frozenset({"error", "timeout", "wrong_result"})


class Call(NamedTuple):
    """One call of one hook of one plugin.

    Attributes:
        at_ms: milliseconds from the start of the trace to the start of the call.
        took_ms: milliseconds that the call took, or was waited for.
        outcome: "result" or "nothing" (None or empty); "error", "timeout", "wrong_result" are failures; "skipped": not called.
        detail: the error in words, or how many values came.
    """

    hook: str
    plugin: str
    at_ms: float
    took_ms: float
    outcome: Outcome
    detail: str = ""


@dataclass(slots=True)
class Trace:
    """The calls of one request in the order in which they ended."""

    calls: list[Call] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def add(self, hook: str, plugin: str, started: float, outcome: Outcome, detail: str = "") -> None:
        """Add a call that began at `started` (seconds of `time.perf_counter`) and ends now."""
        now = time.perf_counter()
        self.calls.append(
            Call(hook, plugin, (started - self.started) * 1e3, (now - started) * 1e3, outcome, detail),
        )

    @property
    def failures(self) -> list[Call]:
        """The calls that failed."""
        return [call for call in self.calls if call.outcome in FAILURES]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the calls as JSON-able dictionaries, times rounded to microseconds; calls that gave nothing are left out."""
        return [
            {
                "hook": call.hook,
                "plugin": call.plugin,
                "at_ms": round(call.at_ms, 3),
                "took_ms": round(call.took_ms, 3),
                "outcome": call.outcome,
                "detail": call.detail,
            }
            for call in self.calls
            if call.outcome != "nothing"
        ]

"""Fixtures of the tenant tests: a clock to turn, settings models, and tenants on a real SQLite file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest


class TurnedClock:
    """A clock that stands still until it is turned; `monotonic` goes along."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.seconds = 1000.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()

"""A call that waits for a silent server too long is told of."""

from __future__ import annotations

import queue
import time

import pytest
from rejoinder.graph.in_flight import InFlight


def test_a_late_call_is_told_of() -> None:
    late: queue.Queue[str] = queue.Queue()
    calls = InFlight(0.1, late.put)
    with calls.of("server"):
        assert late.get(timeout=10) == "server"
    calls.close()


def test_a_call_that_gets_answers_is_not_late() -> None:
    late: queue.Queue[str] = queue.Queue()
    calls = InFlight(30.0, late.put)
    with calls.of("server"):
        time.sleep(1.2)
        calls.renew()
    with pytest.raises(queue.Empty):
        late.get_nowait()
    calls.close()

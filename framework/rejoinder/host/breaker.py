"""Leave a plugin alone for a while, for one tenant, when it keeps failing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float | None = None


class CircuitBreaker:
    """One circuit per plugin and tenant.

    After `failures` failures in a row the circuit opens: the plugin is skipped for `reset_s` seconds. Then one call is let
    through; its success closes the circuit, its failure opens it again.

    Args:
        failures: failures in a row that open a circuit, >= 1.
        reset_s: seconds that a circuit stays open, > 0.
        clock: seconds that never go back.
    """

    def __init__(
        self, *, failures: int = 5, reset_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._reset_s = reset_s
        self._clock = clock
        self._circuits: dict[tuple[str, str | None], _Circuit] = {}

    def allows(self, plugin: str, tenant: str | None) -> bool:
        """Return whether the plugin may be called; when it may again after a pause, only the first to ask may."""
        circuit = self._circuits.get((plugin, tenant))
        if circuit is None or circuit.open_until is None:
            return True
        if self._clock() < circuit.open_until:
            return False
        circuit.open_until = self._clock() + self._reset_s
        return True

    def succeeded(self, plugin: str, tenant: str | None) -> None:
        """Close the circuit."""
        if self._circuits:
            self._circuits.pop((plugin, tenant), None)

    def failed(self, plugin: str, tenant: str | None) -> None:
        """Count a failure, and open the circuit when there were enough in a row."""
        circuit = self._circuits.setdefault((plugin, tenant), _Circuit())
        circuit.failures += 1
        if circuit.failures >= self._limit:
            circuit.open_until = self._clock() + self._reset_s

    def open_circuits(self) -> list[tuple[str, str | None]]:
        """Return plugin and tenant of the circuits that are open now."""
        now = self._clock()
        return [key for key, circuit in self._circuits.items() if circuit.open_until and circuit.open_until > now]

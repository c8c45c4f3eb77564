"""Leave a plugin alone for a while, for one tenant, when one of its hooks keeps failing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Circuit:
    failures: dict[str, int] = field(default_factory=dict)
    open_until: float | None = None
    on_trial: bool = False


class CircuitBreaker:
    """One circuit per plugin and tenant; failures are counted for each hook, so that a hook that works does not hide one that does not.

    After `failures` failures of a hook in a row the circuit opens: the plugin is skipped for `reset_s` seconds. Then one call is let
    through; its success closes the circuit, its failure opens it again. A hook that failed so often before needs to fail only once more.

    Args:
        failures: failures of one hook in a row that open a circuit, >= 1.
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
        circuit.on_trial = True
        return True

    def succeeded(self, plugin: str, tenant: str | None, hook: str) -> None:
        """Close the circuit, and forget the failures of this hook."""
        circuit = self._circuits.get((plugin, tenant)) if self._circuits else None
        if circuit is None:
            return
        if circuit.on_trial:  # else it is a call that began before the circuit opened
            circuit.open_until, circuit.on_trial = None, False
        circuit.failures.pop(hook, None)
        if not circuit.failures and circuit.open_until is None:
            del self._circuits[plugin, tenant]

    def failed(self, plugin: str, tenant: str | None, hook: str) -> None:
        """Count a failure, and open the circuit when the hook had enough in a row."""
        circuit = self._circuits.setdefault((plugin, tenant), _Circuit())
        circuit.failures[hook] = circuit.failures.get(hook, 0) + 1
        if circuit.failures[hook] >= self._limit:
            circuit.open_until, circuit.on_trial = self._clock() + self._reset_s, False

    def open_circuits(self) -> list[tuple[str, str | None]]:
        """Return plugin and tenant of the circuits that are open now."""
        now = self._clock()
        return [key for key, circuit in self._circuits.items() if circuit.open_until and circuit.open_until > now]

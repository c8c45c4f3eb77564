"""A tenant's flows, ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rejoinder.flows import Flow, FlowBook, Slot, SubFlow, check_flows
from rejoinder.flows.loading import choose_flows, read_definitions

from rejoinder_plugins.flows.settings import FlowsSettings
from rejoinder_plugins.flows.words import Phrases

__all__ = ["Compiled"]


@dataclass(frozen=True)
class Compiled:
    """Flows by name, what begins them, and what was left out.

    Attributes:
        problems: why flows that the tenant names are not among `flows`.
    """

    settings: FlowsSettings
    flows: Mapping[str, Flow]
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: FlowsSettings, shipped: FlowBook) -> Compiled:
        """Return a tenant's flows: those of the domains that its settings name, with what these call, and its own."""
        book, problems = choose_flows(shipped, settings.use, read_definitions(settings.definitions))
        found = check_flows(book)
        wrong = {finding.flow for finding in found}
        flows = {name: flow for name, flow in book.flows.items() if name not in wrong}
        return cls(settings, flows, (*problems, *map(str, found)))

    @cached_property
    def phrases(self) -> Phrases:
        """The words that begin flows."""
        return Phrases({phrase: name for name, flow in self.flows.items() for phrase in flow.start.phrases})

    @cached_property
    def intents(self) -> Mapping[str, str]:
        """The flow that each intent begins."""
        return {intent: name for name, flow in self.flows.items() for intent in flow.start.intents}

    @cached_property
    def slot_names(self) -> frozenset[str]:
        """Names of all slots of the flows."""
        return frozenset(name for flow in self.flows.values() for name in flow.known_slots)

    @cached_property
    def _slots(self) -> dict[str, Mapping[str, Slot]]:
        return {}

    def slots_of(self, name: str) -> Mapping[str, Slot]:
        """Return the slots that people fill in a flow and in those that it calls."""
        if name not in self._slots:
            slots: dict[str, Slot] = {}
            for flow in self._with_called(name):
                slots = {**flow.slots, **slots}
            self._slots[name] = slots
        return self._slots[name]

    def results_of(self, name: str) -> set[str]:
        """Return the slots that calls fill in a flow and in those that it calls."""
        return set().union(*(flow.results for flow in self._with_called(name)))

    def _with_called(self, name: str) -> list[Flow]:
        found: dict[str, Flow] = {}
        waiting = [name]
        while waiting:
            flow = self.flows.get(waiting.pop())
            if flow is not None and flow.flow not in found:
                found[flow.flow] = flow
                waiting += [step.flow for step in flow.steps if isinstance(step, SubFlow)]
        return list(found.values())

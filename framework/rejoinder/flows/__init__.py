"""Guided flows as data: their language, how values are read, and what is checked before a flow may run.

A flow is written in YAML (`load_flows`) or in Python (`Flow(...)`); both are the same pydantic models. A domain brings flows with
`Domain.flows`, a tenant with the setting `flows.definitions`. The plugin `flows` runs them.
"""

from __future__ import annotations

from rejoinder.flows.checking import Finding, check_flows
from rejoinder.flows.language import (
    Ask,
    AskAgain,
    Branch,
    Call,
    Case,
    Check,
    Condition,
    Confirm,
    End,
    Flow,
    HandOff,
    Say,
    Start,
    SubFlow,
)
from rejoinder.flows.loading import FlowBook, load_flows
from rejoinder.slots import Slot

__all__ = [
    "Ask",
    "AskAgain",
    "Branch",
    "Call",
    "Case",
    "Check",
    "Condition",
    "Confirm",
    "End",
    "Finding",
    "Flow",
    "FlowBook",
    "HandOff",
    "Say",
    "Slot",
    "Start",
    "SubFlow",
    "check_flows",
    "load_flows",
]

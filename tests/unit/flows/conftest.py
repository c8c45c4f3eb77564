"""Flows written in a line or two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rejoinder.flows import Finding, FlowBook, check_flows
from rejoinder.flows.loading import read_flows

HEAD = """
flow: f
title: doing f
start: {phrases: [do f]}
slots:
  order: {type: order_number, title: order number}
  colour: {type: choice, title: colour, choices: {red: [], blue: []}}
steps:
"""


@pytest.fixture
def book() -> Callable[[str], FlowBook]:
    """A factory of a flow `f` with the slots `order` and `colour`, by its steps."""
    return lambda steps: read_flows(HEAD + steps, "f.yml")


@pytest.fixture
def findings(book: Callable[[str], FlowBook]) -> Callable[[str], list[Finding]]:
    """What is wrong with it, by its steps; slots that are not used aside."""
    return lambda steps: [one for one in check_flows(book(steps)) if "never asked" not in one.text]

"""What labels are called."""

from __future__ import annotations

import pytest
from rejoinder.labels import humanised


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("a_b-c", "A b c"),
        ("__", "__"),
        ("", ""),
        ("Refund_not_showing_up", "Refund not showing up"),
        ("cancelOrder", "Cancel order"),
        ("shop:track", "Shop track"),
    ],
)
def test_humanised(label: str, title: str) -> None:
    assert humanised(label) == title

"""What a version's folder holds: the learner, vectors of a sample of what it learned from, and an adapter where one was trained."""

from __future__ import annotations

from typing import Final

ADAPTER: Final = "adapter"
ANCHORS: Final = "anchors"
HEAD: Final = "head"

UNTRAINED: Final = "untrained"
"""Origin of a version that has learned nothing: a task that learns from behaviour serves it until there is a trained one."""

"""Slots: values that people say, how each kind is read from a text, and how it is checked.

Guided flows and the plugin `slots` read with the same formats.
"""

from __future__ import annotations

from rejoinder.slots.kinds import Slot, SlotType

__all__ = ["Slot", "SlotType"]

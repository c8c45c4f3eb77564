"""Slots: values that people say, such as order numbers and dates, carried over turns and corrected by them."""

from rejoinder_plugins.slots.plugin import SlotsPlugin
from rejoinder_plugins.slots.settings import SlotsSettings

__all__ = ["SlotsPlugin", "SlotsSettings", "plugin"]

plugin = SlotsPlugin()

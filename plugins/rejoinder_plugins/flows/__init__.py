"""Flows: leads people step by step to something done, as a plugin."""

from rejoinder_plugins.flows.plugin import FlowsPlugin
from rejoinder_plugins.flows.settings import FlowsSettings

__all__ = ["FlowsPlugin", "FlowsSettings", "plugin"]

plugin = FlowsPlugin()

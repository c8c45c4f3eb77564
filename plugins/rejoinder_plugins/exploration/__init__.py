"""Exploration: now and then the second-best answer comes first, so that feedback can show which is better, as a plugin."""

from rejoinder_plugins.exploration.plugin import ExplorationPlugin
from rejoinder_plugins.exploration.settings import ExplorationSettings

__all__ = ["ExplorationPlugin", "ExplorationSettings", "plugin"]

plugin = ExplorationPlugin()

"""Intents: the tenant's learned model of what messages are about, as a plugin."""

from rejoinder_plugins.intent.plugin import IntentPlugin
from rejoinder_plugins.intent.settings import IntentSettings

__all__ = ["IntentPlugin", "IntentSettings", "plugin"]

plugin = IntentPlugin()

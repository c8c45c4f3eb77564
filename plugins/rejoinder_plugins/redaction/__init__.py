"""Redaction: masks what must not be kept, before anything is stored, logged or learned from, as a plugin."""

from rejoinder_plugins.redaction.plugin import RedactionPlugin
from rejoinder_plugins.redaction.settings import RedactionSettings

__all__ = ["RedactionPlugin", "RedactionSettings", "plugin"]

plugin = RedactionPlugin()

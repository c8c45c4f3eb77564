"""The plugin host: finds plugins, checks them, and calls their hooks."""

from rejoinder.host.host import Host
from rejoinder.host.plugins import Plugin, Plugins

__all__ = ["Host", "Plugin", "Plugins"]

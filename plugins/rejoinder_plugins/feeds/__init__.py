"""Feeds: fetches documents from RSS and Atom feeds, as a plugin."""

from rejoinder_plugins.feeds.plugin import FeedsPlugin

__all__ = ["FeedsPlugin", "plugin"]

plugin = FeedsPlugin()

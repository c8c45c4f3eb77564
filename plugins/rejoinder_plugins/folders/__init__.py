"""Folders: reads documents from files that are put into a tenant's folder, as a plugin."""

from rejoinder_plugins.folders.plugin import FoldersPlugin

__all__ = ["FoldersPlugin", "plugin"]

plugin = FoldersPlugin()

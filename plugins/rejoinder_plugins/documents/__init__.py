"""Documents: answers found in a tenant's documents and past replies, read, cited, and learned from, as a plugin."""

from rejoinder_plugins.documents.plugin import DocumentsPlugin
from rejoinder_plugins.documents.settings import DocumentsSettings

__all__ = ["DocumentsPlugin", "DocumentsSettings", "plugin"]

plugin = DocumentsPlugin()

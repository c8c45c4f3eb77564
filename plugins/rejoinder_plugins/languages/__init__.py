"""Languages: which one a message is in, and a polite word where the bot does not serve it."""

from rejoinder_plugins.languages.plugin import LanguagesPlugin
from rejoinder_plugins.languages.settings import LanguagesSettings

__all__ = ["LanguagesPlugin", "LanguagesSettings", "plugin"]

plugin = LanguagesPlugin()

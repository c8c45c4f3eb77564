"""Dialogue: decides what to do with a message and words the reply, as a plugin; others come before it."""

from rejoinder_plugins.dialogue.plugin import DialoguePlugin
from rejoinder_plugins.dialogue.settings import DialogueSettings, DialogueTexts

__all__ = ["DialoguePlugin", "DialogueSettings", "DialogueTexts", "plugin"]

plugin = DialoguePlugin()

"""Corrections: answers that people taught, recalled for the same question and its paraphrases, as a plugin."""

from rejoinder_plugins.corrections.plugin import CorrectionsPlugin
from rejoinder_plugins.corrections.settings import CorrectionsSettings

__all__ = ["CorrectionsPlugin", "CorrectionsSettings", "plugin"]

plugin = CorrectionsPlugin()

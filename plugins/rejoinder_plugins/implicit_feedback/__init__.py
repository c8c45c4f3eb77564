"""Implicit feedback: what people do after a reply becomes weak rewards, as a plugin."""

from rejoinder_plugins.implicit_feedback.plugin import ImplicitFeedbackPlugin
from rejoinder_plugins.implicit_feedback.settings import ImplicitFeedbackSettings

__all__ = ["ImplicitFeedbackPlugin", "ImplicitFeedbackSettings", "plugin"]

plugin = ImplicitFeedbackPlugin()

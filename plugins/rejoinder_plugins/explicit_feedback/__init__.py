"""Explicit feedback: thumbs, ratings, corrections and remarks become rewards and examples, as a plugin."""

from rejoinder_plugins.explicit_feedback.plugin import ExplicitFeedbackPlugin
from rejoinder_plugins.explicit_feedback.settings import ExplicitFeedbackSettings

__all__ = ["ExplicitFeedbackPlugin", "ExplicitFeedbackSettings", "plugin"]

plugin = ExplicitFeedbackPlugin()

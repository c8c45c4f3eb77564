"""Fit and evaluate a task's own learner on a worker: the shipped `adapt_model` and `evaluate_model`."""

from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin
from rejoinder_plugins.learner_adaptation.settings import LearnerAdaptationSettings

__all__ = ["LearnerAdaptationPlugin", "LearnerAdaptationSettings", "plugin"]

plugin = LearnerAdaptationPlugin()

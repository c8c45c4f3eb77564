"""Fit and evaluate a task's own learner on a worker: the shipped `adapt_model` and `evaluate_model`."""

from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin

__all__ = ["plugin"]

plugin = LearnerAdaptationPlugin()

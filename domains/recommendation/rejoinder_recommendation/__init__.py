"""Recommendation for Rejoinder: so far, candidate sources, one learned ranker over them, and their evaluation on files."""

from rejoinder_recommendation.plugin import RecommendationPlugin

__all__ = ["RecommendationPlugin", "plugin"]

plugin = RecommendationPlugin()

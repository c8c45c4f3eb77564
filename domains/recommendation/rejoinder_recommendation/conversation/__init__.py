"""Recommendation in conversation: titles in messages, what a dialogue says of tastes, and items ranked by it."""

from rejoinder_recommendation.conversation.plugin import ConversationPlugin

__all__ = ["ConversationPlugin", "plugin"]

plugin = ConversationPlugin()

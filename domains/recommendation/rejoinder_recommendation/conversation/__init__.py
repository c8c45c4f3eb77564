"""Recommendation in conversation: titles in messages, what a dialogue says of tastes, and items ranked by it."""

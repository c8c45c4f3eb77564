"""Rejoinder: a plugin-based chatbot framework whose bots learn, at once and safely, from the people who talk to them."""

from rejoinder.hooks import hookimpl

__all__ = ["__version__", "hookimpl"]

__version__ = "0.1.0"

"""Help desks: the real application, whose bot hands off what asks for a person and answers the rest."""

from __future__ import annotations

from tests.unit.conversation.conftest import bot_of, clock, postgres_url, store, template

__all__ = ["bot_of", "clock", "postgres_url", "store", "template"]

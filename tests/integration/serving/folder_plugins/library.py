"""A small domain: a library that lends books."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field
from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Domain, Example, Query

ANSWERS = {"opening_hours": "We are open from 9 to 17.", "lost_card": "We send you a new card."}
SAYINGS = {
    "opening_hours": ("when do you open", "what are your opening hours", "are you open on sunday", "when do you close"),
    "lost_card": ("I lost my card", "my library card is gone", "my card was stolen", "I need a new library card"),
}


class LibrarySettings(BaseModel, extra="forbid"):
    score: float = Field(default=0.9, ge=0, le=1, description="Score of an answer.")


class Library:
    @hookimpl()
    def register_domain(self) -> Sequence[Domain]:
        return [Domain(name="library", settings=LibrarySettings)]

    @hookimpl()
    def seed_examples(self, context: Context) -> Sequence[Example]:
        return [
            Example(id=f"seed_{label}_{number}", task="intent", text=text, label=label)
            for label, texts in SAYINGS.items()
            for number, text in enumerate(texts)
        ]

    @hookimpl()
    def retrieve_answers(self, query: Query, context: Context) -> Sequence[Answer]:
        for reading in query.intents[:1]:
            if reading.intent in ANSWERS:
                return [
                    Answer(
                        id=f"library:{reading.intent}",
                        score=context.settings.score,
                        source="library",
                        text=ANSWERS[reading.intent],
                        intent=reading.intent,
                    )
                ]
        return []


plugin = Library()

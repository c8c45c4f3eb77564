"""The answers of one tenant, ready to be given but for their score."""

from __future__ import annotations

from rejoinder.labels import humanised
from rejoinder.payloads import Answer, Citation

from rejoinder_customer_service.catalogue import COMPANY, Entry, entries_by_intent, filled
from rejoinder_customer_service.settings import CustomerServiceSettings


class Answers:
    """By intent, the tenant's own answer or the catalogue's, with its names filled in; each made when it is first asked for.

    Args:
        settings: what the answers depend on, and nothing else.
    """

    def __init__(self, settings: CustomerServiceSettings) -> None:
        self.settings = settings
        self._entries = {} if settings.catalogue == "none" else entries_by_intent(settings.catalogue)
        self._made: dict[str, Answer] = {}

    def __contains__(self, intent: str) -> bool:
        """Tell whether there is an answer for an intent."""
        return intent in self._entries or intent in self.settings.answers

    def __getitem__(self, intent: str) -> Answer:
        """Return an intent's answer, with the score 0; KeyError when there is none."""
        answer = self._made.get(intent)
        if answer is None:
            answer = self._made[intent] = self._make(intent)
        return answer

    def _make(self, intent: str) -> Answer:
        settings, own = self.settings, self.settings.answers.get(intent)
        entry = self._entries.get(intent)
        if entry is None:
            entry = Entry(
                intent=intent, title=humanised(intent), question="", answer=settings.answers[intent], source=""
            )
        return Answer(
            id=f"{settings.catalogue}:{intent}",
            text=filled(own or entry.answer, settings.values, {COMPANY: settings.company}, entry.slots),
            score=0.0,
            source="faq",
            intent=intent,
            citations=(Citation(source=entry.source if own is None else settings.company, title=entry.title),),
        )

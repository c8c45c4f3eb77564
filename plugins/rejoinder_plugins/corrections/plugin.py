"""The plugin's hooks."""

from __future__ import annotations

import hashlib
from typing import Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Citation, Query

from rejoinder_plugins.corrections.settings import CorrectionsSettings

TASK: Final = "answer"


class CorrectionsPlugin:
    """Offers the answer that a person taught for this text or a paraphrase of it."""

    rejoinder_spec = ">=1.0,<2"
    settings = CorrectionsSettings

    @hookimpl(tryfirst=True)
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the remembered answer, if the text falls under one."""
        if query.kind != "reply" or not query.text or not query.text.strip():
            return []
        match = await context.models.recall(TASK, query.text)
        if match is None or not match.label.strip():
            return []
        settings: CorrectionsSettings = context.settings
        belief = _share(match.trust) * _share(match.similarity)
        return [
            Answer(
                id=f"correction:{hashlib.sha256(match.label.encode()).hexdigest()[:16]}",
                text=match.label,
                score=settings.min_score + (1.0 - settings.min_score) * belief,
                source="correction",
                citations=(Citation(source="correction", title=settings.citation_text),),
            )
        ]


def _share(value: float) -> float:
    return min(1.0, max(0.0, float(value)))

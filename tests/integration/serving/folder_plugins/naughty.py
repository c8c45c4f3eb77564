"""A plugin that does what the message asks for: raise, hang, answer with the wrong type or out of range."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Message, Query, Understanding


def _behave(text: str | None) -> Any:
    if text and "raise" in text:
        raise ZeroDivisionError("naughty")
    if text and "hang" in text:
        time.sleep(4)
    if text and "wrong" in text:
        return {"not": "a payload"}
    return None


class Naughty:
    @hookimpl(tryfirst=True)
    def understand_intent(self, message: Message, context: Context) -> Understanding | None:
        found: Understanding | None = _behave(message.text)
        return found

    @hookimpl(tryfirst=True)
    def retrieve_answers(self, query: Query, context: Context) -> Sequence[Any]:
        return _behave(query.text) or []

    @hookimpl(tryfirst=True)
    def redact_text(self, text: str, context: Context) -> str:
        if "unredactable" in text:
            raise ZeroDivisionError("naughty")
        return text


plugin = Naughty()

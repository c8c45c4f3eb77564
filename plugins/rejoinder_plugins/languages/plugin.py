"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, ConversationState, Message, Understanding

from rejoinder_plugins.dialogue.hand_off import calls_for_person
from rejoinder_plugins.languages.detection import is_installed, load, shares
from rejoinder_plugins.languages.settings import LanguagesSettings

_WORD: Final = re.compile(r"[^\W\d_]+")
_FEWEST_LETTERS: Final = 8
"""Letters below which a text in Latin script says too little of its language."""

_FEWEST_OTHER_LETTERS: Final = 3


def _is_wanted(settings: LanguagesSettings) -> bool:
    return settings.enabled and is_installed()


class LanguagesPlugin:
    """Says which language a message is in, and answers politely where it is none that the tenant serves."""

    rejoinder_spec = ">=1.0,<2"
    settings = LanguagesSettings

    @hookimpl(when=_is_wanted)
    async def tenant_enabled(self, context: Context) -> None:
        """Read the model, if this process has not done so yet."""
        await asyncio.to_thread(load)

    @hookimpl(when=_is_wanted)
    async def understand_intent(
        self, message: Message, state: ConversationState, context: Context
    ) -> Understanding | None:
        """Say which language a message is in, where one that is not served is plain; else the likeliest of those that are."""
        settings: LanguagesSettings = context.settings
        text = " ".join(_WORD.findall(message.text))
        if not _says_enough(text):
            return None
        found = shares(text)
        best = next(iter(found))
        served = sum(found.get(code, 0.0) for code in settings.served)
        if best not in settings.served and found[best] >= settings.least_confidence and served <= settings.most_served:
            return Understanding(language=best)
        return Understanding(language=max(settings.served, key=lambda code: found.get(code, 0.0)))

    @hookimpl(before=("flows", "small_talk", "dialogue"), when=_is_wanted)
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Say which languages are served; None where the message is in one, calls for a person, is taught, or answers a question."""
        settings: LanguagesSettings = context.settings
        language = understanding.language
        if language is None or language in settings.served or state.mode != "bot" or state.question or state.flows:
            return None
        if any(one.source == "memory" for one in understanding.readings) or calls_for_person(understanding):
            return None
        text = settings.sorry.get(language, settings.otherwise)
        return Action(
            kind="say",
            state=state,
            text=text.replace("{languages}", ", ".join(settings.served.values())),
            reason=f"language {language}",
        )


def _says_enough(text: str) -> bool:
    letters = len(text.replace(" ", ""))
    if text.isascii():
        return letters >= _FEWEST_LETTERS and " " in text
    return letters >= _FEWEST_OTHER_LETTERS

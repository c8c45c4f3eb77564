"""Settings of the plugin `languages`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]

SORRY: Final = {
    "ar": "عذراً، لا أفهم هذه اللغة بعد. أستطيع المساعدة باللغات: {languages}.",
    "de": "Diese Sprache verstehe ich leider noch nicht. Ich helfe gern auf: {languages}.",
    "es": "Lo siento, todavía no entiendo este idioma. Puedo ayudarle en: {languages}.",
    "fr": "Désolé, je ne comprends pas encore cette langue. Je peux vous aider en : {languages}.",
    "it": "Mi dispiace, non capisco ancora questa lingua. Posso aiutarla in: {languages}.",
    "ja": "申し訳ありませんが、この言語にはまだ対応していません。対応している言語：{languages}",
    "nl": "Sorry, deze taal begrijp ik nog niet. Ik help u graag in het: {languages}.",
    "pl": "Przepraszam, nie rozumiem jeszcze tego języka. Mogę pomóc w językach: {languages}.",
    "pt": "Desculpe, ainda não entendo este idioma. Posso ajudar em: {languages}.",
    "zh": "抱歉，我还不懂这种语言。我可以用以下语言为您服务：{languages}。",
}
"""What is said in a language that is not served, by its code."""


class LanguagesSettings(BaseModel):
    """Which languages a bot serves, and what it says in others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=True,
        description="Whether languages are told apart, where the extra `rejoinder[languages]` is installed.",
    )
    served: dict[Code, Text] = Field(
        default_factory=lambda: {"en": "English"},
        min_length=1,
        max_length=50,
        description="The languages that the bot serves: ISO 639-1 codes, and what to call them.",
    )
    sorry: dict[Code, Text] = Field(
        default_factory=lambda: dict(SORRY),
        description="What the bot says in a language that it does not serve, by its code; `{languages}` becomes those that it serves.",
    )
    otherwise: Text = Field(
        default="Sorry, I don't understand this language yet. I can help you in: {languages}.",
        description="What it says in any other language.",
    )
    least_confidence: float = Field(
        default=0.35, ge=0.0, le=1.0, description="How sure of another language the bot must be to say so."
    )
    most_served: float = Field(
        default=0.03,
        ge=0.0,
        le=1.0,
        description="How probable the languages that it serves may be, together, where it says so.",
    )

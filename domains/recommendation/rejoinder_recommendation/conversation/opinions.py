"""What somebody says of items in conversation, kept as behaviour: every later list knows it, wherever it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rejoinder.payloads import Effect, EffectResult

if TYPE_CHECKING:
    from rejoinder.context import Context

    from rejoinder_recommendation.conversation.requests import Request

__all__ = ["keep_opinion", "opinions_in"]

_EFFECT: Final = "opinion"
_PLUGIN: Final = "recommendation"


def opinions_in(request: Request) -> tuple[Effect, ...]:
    """Return the opinions in a message, each to be kept once: what is rejected was dismissed; what was liked or disliked is said so.

    An item that is named only to say what is wanted is no opinion.
    """
    kinds = dict.fromkeys(request.rejected, "dismiss")
    if request.tells:
        kinds |= dict.fromkeys(request.liked, "like") | dict.fromkeys(request.disliked, "dislike")
    kinds |= dict.fromkeys(request.preferred, "like")
    return tuple(
        Effect(name=_EFFECT, plugin=_PLUGIN, arguments={"kind": kind, "item": item}) for item, kind in kinds.items()
    )


async def keep_opinion(effect: Effect, context: Context) -> EffectResult | None:
    """Keep an opinion; None for any other effect."""
    if effect.name != _EFFECT or context.items is None:
        return None
    await context.items.note(
        str(effect.arguments["kind"]),
        str(effect.arguments["item"]),
        user_id=context.caller.id,
        session_id=context.session_id,
        at=context.now(),
        key=effect.key,
    )
    return EffectResult(name=_EFFECT, ok=True)

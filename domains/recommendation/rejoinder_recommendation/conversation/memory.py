"""What a conversation keeps of what somebody wants, in one slot of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rejoinder.payloads import ConversationState, Slot

from rejoinder_recommendation.conversation.requests import Request
from rejoinder_recommendation.lists.filters import Filters
from rejoinder_recommendation.lists.wish import Wish

__all__ = ["SLOT", "Memory"]

SLOT: Final = "recommendation"
_SAID: Final = 5
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Memory:
    """Wishes up to now.

    Attributes:
        liked, disliked: ids of items, oldest first.
        shown: ids of items that are not to be shown again.
        said: words of the last messages, oldest first.
        asked: how many of the three questions to a stranger were asked.
    """

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    said: tuple[str, ...] = ()
    asked: int = 0

    @property
    def words(self) -> str:
        """All that was said, in one."""
        return "\n".join(self.said)

    def wish(self, filters: Filters | None = None) -> Wish:
        """Return what a list is wanted for; none of what is liked, disliked or was shown and passed over is in it.

        Args:
            filters: in the place of those in force.
        """
        wanted = self.filters if filters is None else filters
        without = tuple(dict.fromkeys((*wanted.without, *self.shown)))
        return Wish(like=self.liked, dislike=self.disliked, filters=replace(wanted, without=without))

    @classmethod
    def of(cls, state: ConversationState) -> Memory | None:
        """Return what a conversation keeps; None: it was never about this."""
        slot = state.slots.get(SLOT)
        return None if slot is None else cls.from_json(slot.value)

    def kept_in(self, state: ConversationState) -> ConversationState:
        """Return the state with this in it."""
        return replace(state, slots={**state.slots, SLOT: Slot(name=SLOT, value=self.to_json())})

    def heard(self, request: Request) -> Memory:
        """Return this with what a message says in it."""
        against = tuple(dict.fromkeys((*self.disliked, *request.disliked)))
        likes = dict.fromkeys((*self.liked, *request.liked, *request.preferred))
        return replace(
            self,
            liked=tuple(item for item in likes if item not in request.disliked)[-_MOST:],
            disliked=tuple(item for item in against if item not in request.liked)[-_MOST:],
            filters=self.filters.merged(request.filters),
            said=(*self.said, request.words)[-_SAID:] if request.content else self.said,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say."""
        return {
            "liked": list(self.liked),
            "disliked": list(self.disliked),
            "shown": list(self.shown),
            "filters": self.filters.to_json(),
            "said": list(self.said),
            "asked": self.asked,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Memory:
        """Return what `to_json` gave."""
        lists = {name: tuple(kept[name]) for name in ("liked", "disliked", "shown", "said")}
        return cls(**lists, filters=Filters.from_json(kept["filters"]), asked=kept["asked"])

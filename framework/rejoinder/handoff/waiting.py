"""How long a customer is likely to wait."""

from __future__ import annotations

from rejoinder.payloads import Count, payload

__all__ = ["Place", "estimated_wait_s"]


@payload
class Place:
    """Where a customer stands in the queue.

    Attributes:
        position: 1 is next.
        wait_s: seconds that it is likely to take; None while no agent is there.
    """

    position: Count
    wait_s: float | None = None


def estimated_wait_s(position: int, *, agents: int, busy: int, typical_s: float) -> float | None:
    """Return how many seconds the customer at a place in the queue is likely to wait; None where no agent is there.

    Idle agents take the first in the queue at once. After them, whenever one of the agents ends a conversation the next one is taken:
    with conversations of exponential length that is every `typical_s / agents` seconds (an M/M/c queue, e.g. Kleinrock, Queueing
    Systems I, section 3.5).

    Args:
        position: in the queue, >= 1.
        agents: that are there, >= 0.
        busy: how many of them have a conversation.
        typical_s: mean time that a conversation takes, in seconds.

    Example:
        >>> [estimated_wait_s(place, agents=2, busy=1, typical_s=300) for place in (1, 2, 3)]
        [0.0, 150.0, 300.0]
    """
    if agents <= 0:
        return None
    idle = max(0, agents - busy)
    return max(0, position - idle) * typical_s / agents

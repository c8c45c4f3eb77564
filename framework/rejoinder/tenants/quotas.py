"""How often users and tenants may ask: token buckets in this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from rejoinder.errors import RateLimitedError

__all__ = ["RateLimiter"]

_MINUTE_S = 60.0


class _Buckets:
    """One bucket for each key: it holds a minute's worth, and is filled evenly."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._levels: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def level(self, key: tuple[str, str], now: float) -> float:
        level, at = self._levels.get(key, (float(self.per_minute), now))
        return min(float(self.per_minute), level + (now - at) * self.per_minute / _MINUTE_S)

    def take(self, key: tuple[str, str], now: float) -> None:
        self._levels[key] = (self.level(key, now) - 1.0, now)
        self._levels.move_to_end(key)
        # A bucket untouched for a minute is full, which is what a missing one counts as.
        while self._levels and now - next(iter(self._levels.values()))[1] > _MINUTE_S:
            self._levels.popitem(last=False)

    def wait_s(self, key: tuple[str, str], now: float) -> float:
        """Return the seconds until one may be taken; 0.0 when now."""
        return max(0.0, 1.0 - self.level(key, now)) * _MINUTE_S / self.per_minute if self.per_minute else 0.0

    def __len__(self) -> int:
        return len(self._levels)


class RateLimiter:
    """Lets users and tenants through as often as they may; a limit of 0 is none. Each process counts for itself.

    Args:
        user_per_minute: requests that one user of a tenant may make, >= 0.
        tenant_per_minute: requests that all users of one tenant may make, >= 0.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, *, user_per_minute: int, tenant_per_minute: int = 0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._users = _Buckets(user_per_minute)
        self._tenants = _Buckets(tenant_per_minute)
        self._monotonic = monotonic

    def check(self, tenant: str, user: str) -> None:
        """Count one request of a user.

        Raises:
            RateLimitedError: the user or the tenant asks too often; the request is not counted.
        """
        now = self._monotonic()
        mine, ours = (tenant, user), (tenant, "")
        for buckets, key, who in ((self._users, mine, "this user"), (self._tenants, ours, "this tenant")):
            wait_s = buckets.wait_s(key, now)
            if wait_s > 0:
                raise RateLimitedError(
                    f"{who} made more than {buckets.per_minute} requests a minute; try again in {wait_s:.1f} s",
                    retry_after_s=wait_s,
                )
        for buckets, key in ((self._users, mine), (self._tenants, ours)):
            if buckets.per_minute:
                buckets.take(key, now)

    def __len__(self) -> int:
        """Number of users and tenants that are remembered."""
        return len(self._users) + len(self._tenants)

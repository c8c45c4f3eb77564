"""How often users and tenants may ask."""

from __future__ import annotations

from typing import Any

import pytest
from rejoinder.errors import RateLimitedError
from rejoinder.tenants.quotas import RateLimiter


def test_a_user_is_stopped_and_told_when_to_come_back(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=6, monotonic=clock.monotonic)
    for _ in range(6):
        limiter.check("acme", "ann")
    with pytest.raises(RateLimitedError, match="this user made more than 6") as caught:
        limiter.check("acme", "ann")
    assert caught.value.retry_after_s == pytest.approx(10.0)
    clock.turn(caught.value.retry_after_s)
    limiter.check("acme", "ann")


def test_users_and_tenants_do_not_share_a_limit(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=1, monotonic=clock.monotonic)
    for tenant, user in (("acme", "ann"), ("acme", "bob"), ("blue", "ann")):
        limiter.check(tenant, user)


def test_all_users_of_a_tenant_share_its_limit(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=0, tenant_per_minute=3, monotonic=clock.monotonic)
    for user in "abc":
        limiter.check("acme", user)
    with pytest.raises(RateLimitedError, match="this tenant"):
        limiter.check("acme", "d")
    limiter.check("blue", "d")


def test_a_refused_request_costs_nothing(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=1, tenant_per_minute=2, monotonic=clock.monotonic)
    limiter.check("acme", "ann")
    for _ in range(5):
        with pytest.raises(RateLimitedError):
            limiter.check("acme", "ann")
    limiter.check("acme", "bob")


def test_no_limit_lets_all_through(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=0, monotonic=clock.monotonic)
    for _ in range(1000):
        limiter.check("acme", "ann")


def test_memory_is_bounded_by_the_users_of_a_minute(clock: Any) -> None:
    limiter = RateLimiter(user_per_minute=60, monotonic=clock.monotonic)
    for number in range(1000):
        limiter.check("acme", f"user{number}")
        clock.turn(1.0)
    assert len(limiter) <= 62

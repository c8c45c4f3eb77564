"""Keys of tenants never collide."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.tenant_keys import key_of

_TENANTS = st.text(min_size=1, max_size=60) | st.text(alphabet="aA_-h0 4", min_size=1, max_size=60)


@given(_TENANTS, _TENANTS)
def test_two_tenants_have_two_keys(one: str, other: str) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)


@given(_TENANTS)
def test_a_key_is_short_and_plain(tenant: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,46}", key_of(tenant))


@given(_TENANTS)
def test_the_key_of_a_key_is_another_tenants(tenant: str) -> None:
    key = key_of(tenant)
    assert key == tenant or key_of(key) != key


def test_case_and_punctuation_count() -> None:
    tenants = ["acme", "Acme", "ACME", "ac_me", "ac-me", "ac me", "acme ", "ac_2d_me"]
    assert len({key_of(tenant) for tenant in tenants}) == len(tenants)

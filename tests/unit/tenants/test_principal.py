"""Who may do what."""

from __future__ import annotations

import pytest
from rejoinder.errors import AccessError, InvalidInputError
from rejoinder.tenants.principal import Action, KeyRole, Principal, allows, parse_role, require

TABLE: dict[KeyRole, str] = {
    #           converse issue take_over read_conv analytics ingest models tenant deployment
    "customer": "yy-------",
    "agent": "yyyy-----",
    "analyst": "y--yy----",
    "ingest": "-----y---",
    "admin": "yyyyyyyy-",
    "operator": "yyyyyyyyy",
}
ACTIONS: tuple[Action, ...] = (
    "converse",
    "issue_tokens",
    "take_over",
    "read_conversations",
    "read_analytics",
    "ingest",
    "manage_models",
    "manage_tenant",
    "manage_deployment",
)


@pytest.mark.parametrize("role", list(TABLE))
def test_the_permission_table(role: KeyRole) -> None:
    principal = Principal(tenant=None if role == "operator" else "acme", role=role, key_id="k")
    assert "".join("y" if allows(principal, action) else "-" for action in ACTIONS) == TABLE[role]


@pytest.mark.parametrize("role", list(TABLE))
def test_only_operators_reach_another_tenant(role: KeyRole) -> None:
    principal = Principal(tenant=None if role == "operator" else "acme", role=role, key_id="k")
    reached = any(allows(principal, action, tenant="other") for action in ACTIONS)
    assert reached is (role == "operator")


def test_what_may_not_be_is_an_access_error() -> None:
    with pytest.raises(AccessError, match="'analyst' may not manage tenant"):
        require(Principal(tenant="acme", role="analyst", key_id="k"), "manage_tenant")


def test_a_caller_is_the_user_or_the_key() -> None:
    assert Principal(tenant="acme", role="customer", key_id="k", user_id="ann").caller().id == "ann"
    operator = Principal(tenant=None, role="operator", key_id="k").caller()
    assert (operator.id, operator.role) == ("key:k", "admin")


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Did you mean 'analyst'"):
        parse_role("analist")

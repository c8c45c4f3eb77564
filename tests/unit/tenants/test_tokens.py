"""Tokens of end users."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rejoinder.errors import AccessError, AuthenticationError, InvalidInputError
from rejoinder.settings import DeploymentSettings, SecuritySettings
from rejoinder.tenants.principal import KeyRole, Principal
from rejoinder.tenants.secrets import Vault
from rejoinder.tenants.tokens import Tokens

SECRET = "k8Qw3nZx0vT5yLr2Hs9BdFg4JmPcUe7A"


def make(clock: Any = None, secret: str = SECRET, ttl_s: int = 3600) -> Tokens:
    vault = Vault(DeploymentSettings(security=SecuritySettings(secret_key=secret)))
    return Tokens(vault, ttl_s=ttl_s, clock=clock) if clock else Tokens(vault, ttl_s=ttl_s)


def key(role: KeyRole = "customer", tenant: str | None = "acme") -> Principal:
    return Principal(tenant=tenant, role=role, key_id="key_1")


def refused(tokens: Tokens, token: str, tenant: str | None = None) -> None:
    with pytest.raises(AuthenticationError, match=r"^the key or token is not valid; ask for a new one$"):
        tokens.verify(token, tenant=tenant)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    user=st.text(min_size=1, max_size=200),
    tenant=st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True),
    locale=st.sampled_from(["en", "pt-BR", "zh_Hant_TW"]),
    zone=st.sampled_from(["UTC", "Europe/Lisbon", "Asia/Tokyo"]),
    ttl_s=st.integers(60, 3600),
)
def test_what_is_issued_is_what_is_verified(user: str, tenant: str, locale: str, zone: str, ttl_s: int) -> None:
    tokens = make()
    issued = tokens.issue(key(tenant=tenant), user, locale=locale, time_zone=zone, ttl_s=ttl_s)
    expected = Principal(tenant=tenant, role="customer", key_id="key_1", user_id=user, locale=locale, time_zone=zone)
    assert tokens.verify(issued.token, tenant=tenant) == expected
    assert tokens.verify(issued.token) == expected
    assert issued.token not in repr(issued)


def test_a_token_expires(clock: Any) -> None:
    tokens = make(clock)
    issued = tokens.issue(key(), "ann", ttl_s=60)
    clock.turn(59)
    tokens.verify(issued.token)
    clock.turn(1)
    refused(tokens, issued.token)


def test_a_token_is_good_in_its_tenant_only() -> None:
    tokens = make()
    refused(tokens, tokens.issue(key(), "ann").token, tenant="other")


def test_a_token_cannot_be_moved_to_another_tenant() -> None:
    tokens = make()
    head, body, signature = tokens.issue(key(), "ann").token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    moved = base64.urlsafe_b64encode(json.dumps({**claims, "tenant": "other"}).encode()).decode().rstrip("=")
    refused(tokens, f"{head}.{moved}.{signature}")


def test_a_token_of_another_secret_is_refused() -> None:
    refused(make(), make(secret="Zx0vT5yLr2Hs9BdFg4JmPcUe7Ak8Qw3n").issue(key(), "ann").token)


def test_the_algorithm_none_is_refused() -> None:
    tokens = make()
    claims = jwt.decode(tokens.issue(key(), "ann").token, options={"verify_signature": False})
    refused(tokens, jwt.encode(claims, "", algorithm="none"))


def test_another_algorithm_is_refused() -> None:
    tokens = make()
    claims = jwt.decode(tokens.issue(key(), "ann").token, options={"verify_signature": False})
    vault = Vault(DeploymentSettings(security=SecuritySettings(secret_key=SECRET)))
    refused(tokens, jwt.encode(claims, vault.key("tokens", "acme") * 2, algorithm="HS512"))


@pytest.mark.parametrize(
    "change", [{"exp": None}, {"exp": "never"}, {"sub": 3}, {"role": "admin"}, {"tenant": ["acme"]}, {"key": None}]
)
def test_signed_nonsense_is_refused(change: dict[str, Any]) -> None:
    tokens = make()
    claims = jwt.decode(tokens.issue(key(), "ann").token, options={"verify_signature": False})
    changed = {name: value for name, value in {**claims, **change}.items() if value is not None}
    vault = Vault(DeploymentSettings(security=SecuritySettings(secret_key=SECRET)))
    refused(tokens, jwt.encode(changed, vault.key("tokens", "acme"), algorithm="HS256"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    tokens = make()
    token = tokens.issue(key(), "ann").token
    place = data.draw(st.integers(0, len(token) - 2))  # of the last letter, base64 leaves bits unused
    letter = data.draw(st.sampled_from("abcXYZ019-_.é").filter(lambda letter: letter != token[place]))
    refused(tokens, token[:place] + letter + token[place + 1 :])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(max_size=300)
    | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    )
)
def test_what_is_no_token_is_refused(text: str) -> None:
    refused(make(), text)


def test_a_token_too_long_to_be_ours_is_refused() -> None:
    refused(make(), "a" * 5000)


@pytest.mark.parametrize("role", ["customer", "agent", "admin"])
def test_who_may_issue(role: KeyRole) -> None:
    make().issue(key(role), "ann")


def test_an_operator_names_the_tenant() -> None:
    tokens = make()
    assert tokens.verify(tokens.issue(key("operator", None), "ann", tenant="blue").token).tenant == "blue"
    with pytest.raises(InvalidInputError, match="needs a tenant"):
        tokens.issue(key("operator", None), "ann")


@pytest.mark.parametrize("role", ["analyst", "ingest"])
def test_who_may_not_issue(role: KeyRole) -> None:
    with pytest.raises(AccessError):
        make().issue(key(role), "ann")


def test_a_key_issues_for_its_own_tenant_only() -> None:
    with pytest.raises(AccessError):
        make().issue(key("admin"), "ann", tenant="other")


def test_a_token_does_not_issue_tokens() -> None:
    tokens = make()
    holder = tokens.verify(tokens.issue(key(), "ann").token)
    with pytest.raises(AccessError):
        tokens.issue(holder, "bob")


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": ""},
        {"user_id": "x" * 201},
        {"locale": "!"},
        {"time_zone": "Mars/Base"},
        {"time_zone": "../etc"},
        {"ttl_s": 0},
        {"ttl_s": 3601},
    ],
)
def test_arguments_that_cannot_be_used_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        make().issue(key(), **{"user_id": "ann", **wrong})


@pytest.mark.parametrize("issuer", ["agent", "admin"])
def test_an_agents_token_names_the_agent_and_never_a_customer(issuer: KeyRole) -> None:
    tokens = make()
    agent = tokens.verify(tokens.issue(key(issuer), "ana", role="agent", name="Ana B.").token)
    assert (agent.role, agent.name, agent.caller().id, agent.caller().name) == (
        "agent",
        "Ana B.",
        "agent:ana",
        "Ana B.",
    )
    assert tokens.verify(tokens.issue(key(issuer), "ana").token).caller().id == "ana"


def test_only_who_may_answer_for_the_bot_issues_tokens_to_agents() -> None:
    tokens = make()
    eva = tokens.verify(tokens.issue(key("admin"), "eva", role="agent").token)
    for issuer in (key("customer"), key("analyst"), key("ingest"), eva):
        with pytest.raises(AccessError):
            tokens.issue(issuer, "mallory", role="agent")


@pytest.mark.parametrize("name", ["a\nb", " Eva", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="name"):
        make().issue(key("admin"), "eva", role="agent", name=name)

"""Who a request comes from, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from rejoinder.errors import AccessError, InvalidInputError, did_you_mean
from rejoinder.payloads import Caller, Role

__all__ = ["ROLES", "Action", "KeyRole", "Principal", "allows", "parse_role", "require"]

KeyRole = Literal["customer", "agent", "analyst", "admin", "ingest", "operator"]
"""What an API key is for. `customer` is a key that a tenant's own backend holds to issue tokens to its users; `operator` is
for the whole deployment and belongs to no tenant."""
ROLES: tuple[KeyRole, ...] = get_args(KeyRole)

Action = Literal[
    "converse",
    "give_feedback",
    "issue_tokens",
    "take_over",
    "correct",
    "read_conversations",
    "read_analytics",
    "ingest",
    "manage_models",
    "manage_tenant",
    "manage_privacy",
    "manage_deployment",
]
"""What somebody may want to do:

- converse, give_feedback: talk to the bot as oneself, and say how it did
- issue_tokens: give an end user a token
- take_over: answer in a conversation in the bot's place
- correct: review examples and corrections of all users
- read_conversations: read what other people wrote
- read_analytics: figures, alerts, model metrics
- ingest: send events and documents
- manage_models, manage_tenant, manage_privacy: promote and roll back; settings, plugins, keys; erase and export
- manage_deployment: create and disable tenants
"""

_TALK: frozenset[Action] = frozenset({"converse", "give_feedback"})
_AGENT: frozenset[Action] = _TALK | {"issue_tokens", "take_over", "correct", "read_conversations"}
_ANALYST: frozenset[Action] = _TALK | {"read_analytics", "read_conversations", "correct"}
_INGEST: frozenset[Action] = frozenset({"ingest"})
_ADMIN: frozenset[Action] = _AGENT | _ANALYST | _INGEST | {"manage_models", "manage_tenant", "manage_privacy"}

_ALLOWED: dict[KeyRole, frozenset[Action]] = {
    "customer": _TALK | {"issue_tokens"},
    "agent": _AGENT,
    "analyst": _ANALYST,
    "ingest": _INGEST,
    "admin": _ADMIN,
    "operator": _ADMIN | {"manage_deployment"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request comes from, after authentication.

    Attributes:
        tenant: the tenant's id; None for an operator, who names the tenant in each request.
        key_id: the API key that was used, or that issued the token.
        user_id: the person whose token was used; None when an API key was used itself.
        name: what people call whoever it is.
    """

    tenant: str | None
    role: KeyRole
    key_id: str
    user_id: str | None = None
    locale: str = "en"
    time_zone: str = "UTC"
    name: str = ""

    def caller(self) -> Caller:
        """Return who plugins are told that the caller is; a key without a user is named by its id, an agent never like a customer."""
        role: Role = "admin" if self.role == "operator" else self.role
        return Caller(id=self._caller_id(role), role=role, locale=self.locale, time_zone=self.time_zone, name=self.name)

    def _caller_id(self, role: Role) -> str:
        if self.user_id is None:
            return f"key:{self.key_id}"
        return self.user_id if role == "customer" else f"{role}:{self.user_id}"


def allows(principal: Principal, action: Action, *, tenant: str | None = None) -> bool:
    """Tell whether somebody may do something (in a tenant, when one is named). Holders of tokens never issue tokens.

    Example:
        >>> allows(Principal(tenant="acme", role="analyst", key_id="k"), "read_analytics", tenant="acme")
        True
        >>> allows(Principal(tenant="acme", role="analyst", key_id="k"), "read_analytics", tenant="other")
        False
    """
    if tenant is not None and principal.role != "operator" and principal.tenant != tenant:
        return False
    if action == "issue_tokens" and principal.user_id is not None:
        return False
    return action in _ALLOWED[principal.role]


def require(principal: Principal, action: Action, *, tenant: str | None = None) -> None:
    """Do nothing when somebody may do something.

    Raises:
        AccessError: they may not; the text does not tell whether the tenant exists.
    """
    if not allows(principal, action, tenant=tenant):
        raise AccessError(f"the role {principal.role!r} may not {action.replace('_', ' ')} here; use a key that may")


def parse_role(text: str) -> KeyRole:
    """Return a text as a role.

    Raises:
        InvalidInputError: there is no such role; the text names the roles.
    """
    for role in ROLES:
        if role == text:
            return role
    raise InvalidInputError(f"there is no role {text!r}.{did_you_mean(text, ROLES)} Roles: {', '.join(ROLES)}")

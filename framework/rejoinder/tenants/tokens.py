"""Tokens of end users: signed, short-lived, good for one user of one tenant."""

from __future__ import annotations

import re
import zoneinfo
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import jwt

from rejoinder.context import Clock, utc_now
from rejoinder.errors import AuthenticationError, InvalidInputError
from rejoinder.tenants.principal import Principal, require
from rejoinder.tenants.secrets import Vault

__all__ = ["NOT_AUTHENTICATED", "IssuedToken", "Tokens"]

NOT_AUTHENTICATED = "the key or token is not valid; ask for a new one"
"""The same for everything that may be wrong, so that nobody learns which it was."""

_ALGORITHM = "HS256"
_LONGEST_CHARS = 4096
_MOST_VERIFIED = 4096
"""Tokens whose signature was found right and need not be checked again; whether they expired is."""

_LONGEST_USER_CHARS = 200

TokenRole = Literal["customer", "agent"]
_ROLES: tuple[TokenRole, ...] = get_args(TokenRole)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and the moment until which it is good."""

    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"IssuedToken(expires_at={self.expires_at.isoformat()})"


class Tokens:
    """Issues and verifies tokens.

    Args:
        ttl_s: seconds for which a token is good unless said otherwise, > 0.
    """

    def __init__(self, vault: Vault, *, ttl_s: int, clock: Clock = utc_now) -> None:
        self._vault = vault
        self._ttl_s = ttl_s
        self._clock = clock
        self._verified: OrderedDict[str, tuple[Principal, int]] = OrderedDict()

    def issue(
        self,
        issuer: Principal,
        user_id: str,
        *,
        tenant: str | None = None,
        locale: str = "en",
        time_zone: str = "UTC",
        ttl_s: int | None = None,
        role: TokenRole = "customer",
        name: str = "",
    ) -> IssuedToken:
        """Make a token for an end user, or for one of the tenant's agents.

        Args:
            issuer: whose key asks for it; a customer-facing key, an agent, an admin, or an operator.
            user_id: the tenant's own pseudonym for the user, 1 to 200 characters.
            role: an agent's token needs an issuer who may answer for the bot.
            name: what people call them; customers see an agent's.
            tenant: needed from an operator only.
            ttl_s: seconds for which it is good, > 0, at most the deployment's `security.token_ttl_s`; None: that.
        Raises:
            AccessError: the issuer may not.
            InvalidInputError: an argument cannot be used.
        """
        tenant = tenant or issuer.tenant
        if tenant is None:
            raise InvalidInputError("an operator's token needs a tenant; name it")
        require(issuer, "issue_tokens", tenant=tenant)
        if role == "agent":
            require(issuer, "take_over", tenant=tenant)
        if len(name) > _LONGEST_USER_CHARS or not (name.isprintable() and name == name.strip()):
            raise InvalidInputError(
                f"name: expected at most {_LONGEST_USER_CHARS} printable characters, none of them space at the ends"
            )
        if not 1 <= len(user_id) <= _LONGEST_USER_CHARS:
            raise InvalidInputError(f"user_id has {len(user_id)} characters, expected 1 to {_LONGEST_USER_CHARS}")
        if not _LOCALE.fullmatch(locale):
            raise InvalidInputError(f"locale: got {locale[:40]!r}, expected something like 'en' or 'pt-BR'")
        if not _is_time_zone(time_zone):
            raise InvalidInputError(f"time_zone: got {time_zone[:40]!r}, expected a name like 'UTC' or 'Europe/Lisbon'")
        if ttl_s is not None and not 1 <= ttl_s <= self._ttl_s:
            raise InvalidInputError(f"ttl_s: got {ttl_s}, expected 1 to {self._ttl_s} (security.token_ttl_s)")
        now = self._clock()
        expires_at = now.replace(microsecond=0) + timedelta(seconds=self._ttl_s if ttl_s is None else ttl_s)
        claims = {
            "tenant": tenant,
            "sub": user_id,
            "role": role,
            "name": name,
            "locale": locale,
            "zone": time_zone,
            "key": issuer.key_id,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return IssuedToken(jwt.encode(claims, self._vault.key("tokens", tenant), algorithm=_ALGORITHM), expires_at)

    def verify(self, token: str, *, tenant: str | None = None) -> Principal:
        """Return whom a token is for.

        Args:
            tenant: the tenant that the request is for; None: whichever the token names.
        Raises:
            AuthenticationError: it is expired, tampered with, of another tenant, or no token of ours.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._verified[token] = self._read(token)
            while len(self._verified) > _MOST_VERIFIED:
                self._verified.popitem(last=False)
        principal, expires = known
        if expires <= self._clock().timestamp() or tenant not in (None, principal.tenant):
            raise AuthenticationError(NOT_AUTHENTICATED)
        return principal

    def _read(self, token: str) -> tuple[Principal, int]:
        """Return whom a token was made for, and until when in seconds of the epoch."""
        try:
            claims = self._claims(token)
            expires = claims["exp"]
            role = next((one for one in _ROLES if one == claims["role"]), None)
            if not isinstance(expires, int) or role is None:
                raise AuthenticationError(NOT_AUTHENTICATED)
            principal = Principal(
                tenant=str(claims["tenant"]),
                role=role,
                key_id=str(claims["key"]),
                user_id=str(claims["sub"]),
                locale=str(claims["locale"]),
                time_zone=str(claims["zone"]),
                name=str(claims.get("name", "")),
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
            raise AuthenticationError(NOT_AUTHENTICATED) from None
        return principal, expires

    def _claims(self, token: str) -> dict[str, object]:
        if len(token) > _LONGEST_CHARS:
            raise AuthenticationError(NOT_AUTHENTICATED)
        # The tenant chooses the key, so it is read first; nothing is believed before the signature holds.
        named = jwt.decode(token, options={"verify_signature": False}).get("tenant")
        if not isinstance(named, str):
            raise AuthenticationError(NOT_AUTHENTICATED)
        claims: dict[str, object] = jwt.decode(
            token,
            self._vault.key("tokens", named),
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},  # our clock decides
        )
        return claims


def _is_time_zone(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True

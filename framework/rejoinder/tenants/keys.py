"""API keys `rj_<prefix>_<secret>`: shown once, stored as a hash, cached for a moment."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rejoinder.context import Clock, utc_now
from rejoinder.errors import AuthenticationError, InvalidInputError, NotFoundError, StoreError
from rejoinder.store import keys as key_rows
from rejoinder.store import tenants as tenant_rows
from rejoinder.store.database import Database
from rejoinder.store.tables import ApiKey
from rejoinder.tenants.principal import KeyRole, Principal, parse_role
from rejoinder.tenants.tokens import NOT_AUTHENTICATED

__all__ = ["CACHE_S", "KEY_START", "KeyRecord", "Keys", "NewKey", "is_key"]

KEY_START = "rj_"
CACHE_S = 1.5
"""Seconds for which what the store said of a key is believed: a revocation by another process takes hold within 2 s."""

_SHAPE = re.compile(r"rj_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
_TOUCH_S = 60.0
"""Seconds between two notes that a key was used: a write for each request would be too dear."""
_LONGEST_NAME_CHARS = 200

_log = logging.getLogger(__name__)


def is_key(text: str) -> bool:
    """Tell whether a credential claims to be an API key rather than a user's token."""
    return text.startswith(KEY_START)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What may be known of a key: everything but the key. `tenant` is None for an operator's."""

    id: str
    tenant: str | None
    prefix: str
    role: str
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `token` is shown to its owner now, and never again."""

    record: KeyRecord
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float
    expires_at: datetime | None


class Keys:
    """Makes, lists, revokes and recognises keys.

    Args:
        clock: decides what is expired.
        monotonic: decides how old what is cached is, in seconds.
    """

    def __init__(
        self, database: Database, *, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._revoked: dict[str, tuple[float, Mapping[str, bool]]] = {}
        self._touched: dict[str, float] = {}
        self._generation = 0

    async def create(
        self, role: str, *, tenant: str | None, name: str = "", expires_at: datetime | None = None
    ) -> NewKey:
        """Make a key.

        Args:
            role: one of `principal.ROLES`; "operator" goes with no tenant, all others with one.
            expires_at: aware moment from which it is worthless; None: never.
        Raises:
            InvalidInputError: role and tenant do not fit, the moment is past, or the name is too long.
            NotFoundError: there is no such tenant.
        """
        known_role = parse_role(role)
        if (known_role == "operator") is not (tenant is None):
            raise InvalidInputError(f"a key of role {role!r} {'has no' if tenant else 'needs a'} tenant")
        if expires_at is not None and expires_at <= self._clock():
            raise InvalidInputError(f"expires_at: got {expires_at.isoformat()}, expected a moment to come")
        if len(name) > _LONGEST_NAME_CHARS:
            raise InvalidInputError(f"name has {len(name)} characters, expected at most {_LONGEST_NAME_CHARS}")
        prefix = KEY_START + secrets.token_hex(4)
        token = f"{prefix}_{secrets.token_urlsafe(32)}"
        async with self._database.write() as session:
            if tenant is not None:
                await tenant_rows.get_tenant(session, tenant)
            row = await key_rows.create_key(
                session,
                tenant,
                prefix=prefix,
                hash=_digest(token),
                role=known_role,
                name=name,
                expires_at=expires_at,
                at=self._clock(),
            )
        self.forget()
        return NewKey(_record(row), token)

    async def list(self, tenant: str | None) -> list[KeyRecord]:
        """Return a tenant's keys (None: the operators'), oldest first; revoked and expired ones too."""
        return [_record(row) for row in await key_rows.list_keys(self._database, tenant)]

    async def revoke(self, key_id: str, *, tenant: str | None) -> KeyRecord:
        """Make a key, and the tokens that it issued, worthless: in this process at once, in others within 2 s.

        Raises:
            NotFoundError: the tenant has no such key.
        """
        row = await key_rows.revoke_key(self._database, tenant, key_id, at=self._clock())
        self.forget()
        return _record(row)

    async def authenticate(self, token: str) -> Principal:
        """Return whose key this is.

        Raises:
            AuthenticationError: it is unknown, expired, revoked, or its tenant is disabled; the text does not tell which.
        """
        if not _SHAPE.fullmatch(token):
            raise AuthenticationError(NOT_AUTHENTICATED)
        digest = _digest(token)
        known = self._known.get(digest)
        if known is None or known.until <= self._monotonic():
            known = await self._look_up(digest)
        if known.expires_at is not None and known.expires_at <= self._clock():
            raise AuthenticationError(NOT_AUTHENTICATED)
        return known.principal

    async def refuse_revoked(self, key_id: str, tenant: str) -> None:
        """Do nothing when the key that issued a token is still good and its tenant enabled.

        Raises:
            AuthenticationError: it was revoked or removed, or the tenant is disabled.
        """
        until, revoked = self._revoked.get(tenant, (0.0, {}))
        if until <= self._monotonic():
            revoked = await self._look_up_tenant(tenant)
        if revoked.get(key_id, True):
            raise AuthenticationError(NOT_AUTHENTICATED)

    def forget(self) -> None:
        """Drop what is cached; a look-up under way is not kept either."""
        self._generation += 1
        self._known.clear()
        self._revoked.clear()

    async def _look_up(self, digest: str) -> _Known:
        generation, started = self._generation, self._monotonic()
        async with self._database.read() as session:
            row = await key_rows.find_key(session, digest)
            same = hmac.compare_digest(digest if row is None else row.hash, digest)
            if row is None or not same or row.revoked_at is not None:
                raise AuthenticationError(NOT_AUTHENTICATED)
            if row.tenant_id is not None and (await tenant_rows.get_tenant(session, row.tenant_id)).disabled:
                raise AuthenticationError(NOT_AUTHENTICATED)
        principal = Principal(tenant=row.tenant_id, role=_role(row), key_id=row.id, name=row.name)
        known = _Known(principal, started + CACHE_S, row.expires_at)
        if generation == self._generation:
            self._known[digest] = known
        if row.expires_at is None or row.expires_at > self._clock():
            await self._touch(row)
        return known

    async def _look_up_tenant(self, tenant: str) -> Mapping[str, bool]:
        generation, started = self._generation, self._monotonic()
        async with self._database.read() as session:
            try:
                disabled = (await tenant_rows.get_tenant(session, tenant)).disabled
            except NotFoundError:
                raise AuthenticationError(NOT_AUTHENTICATED) from None
            rows = [*await key_rows.list_keys(session, tenant), *await key_rows.list_keys(session, None)]
        revoked = {row.id: disabled or row.revoked_at is not None for row in rows}
        if generation == self._generation:
            self._revoked[tenant] = (started + CACHE_S, revoked)
        return revoked

    async def _touch(self, row: ApiKey) -> None:
        now = self._monotonic()
        if now - self._touched.get(row.id, -_TOUCH_S) < _TOUCH_S:
            return
        self._touched[row.id] = now
        try:
            await key_rows.touch_key(self._database, row.tenant_id, row.id, at=self._clock())
        except StoreError as error:  # a note, not worth a request
            _log.warning("the use of key %s could not be noted: %s", row.prefix, error)


def _digest(token: str) -> str:
    """Hash a key. Its secret has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _role(row: ApiKey) -> KeyRole:
    try:
        return parse_role(row.role)
    except InvalidInputError:
        raise AuthenticationError(NOT_AUTHENTICATED) from None


def _record(row: ApiKey) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        tenant=row.tenant_id,
        prefix=row.prefix,
        role=row.role,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )

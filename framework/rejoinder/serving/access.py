"""Who calls, in which tenant, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from rejoinder.errors import AccessError, AuthenticationError, InvalidInputError
from rejoinder.payloads import Caller
from rejoinder.tenants.principal import Action, Principal, require

__all__ = ["TENANT_HEADER", "Access", "AnyEntry", "Entry", "May", "bearer"]

TENANT_HEADER = "rejoinder-tenant"
"""The header in which an operator, who belongs to no tenant, names the one that a request is about."""

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody who was let in, and the tenant that they named, if any."""

    principal: Principal
    named: str | None

    def tenant(self) -> str:
        """Return the tenant that the request is about.

        Raises:
            AccessError: it is not the caller's.
            InvalidInputError: an operator named no tenant.
        """
        tenant = self.principal.tenant
        if self.principal.role == "operator":
            if self.named is None:
                raise InvalidInputError(
                    "an operator's key belongs to no tenant: name one in the header Rejoinder-Tenant"
                )
            return self.named
        if tenant is None or self.named not in (None, tenant):
            raise AccessError("this key or token is not for the tenant in the header Rejoinder-Tenant; leave it out")
        return tenant

    def enter(self, action: Action) -> Entry:
        """Return tenant and caller for something that they want to do.

        Raises:
            AccessError: they may not, in this tenant.
            InvalidInputError: an operator named no tenant.
        """
        tenant = self.tenant()
        require(self.principal, action, tenant=tenant)
        return Entry(tenant, self.principal.caller(), self.principal)


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who may do what they ask for, in a tenant."""

    tenant: str
    caller: Caller
    principal: Principal


class May:
    """A route's dependency: the caller's entry, if they may do this.

    Example:
        >>> May("converse").action
        'converse'
    """

    def __init__(self, action: Action) -> None:
        self.action = action

    async def __call__(self, request: Request) -> Entry:
        """Return the entry, or raise as `Access.enter`."""
        return access_of(request).enter(self.action)


def access_of(request: Request) -> Access:
    """Return who calls, as the guard found it.

    Raises:
        AuthenticationError: the guard let an unknown caller pass, so this route is open to all.
    """
    access = request.scope.get("rejoinder.access")
    if not isinstance(access, Access):
        raise AuthenticationError("this route needs a key or token")
    return access


AnyEntry = Annotated[Access, Depends(access_of)]
"""Somebody who is known, whatever they may do."""


def bearer(authorization: bytes | None) -> str:
    """Return the key or token in a header `Authorization`.

    Raises:
        AuthenticationError: there is none.

    Example:
        >>> bearer(b"Bearer abc")
        'abc'
    """
    if authorization is None:
        raise AuthenticationError("there is no header Authorization: send `Authorization: Bearer <API key or token>`")
    text = authorization.decode("latin-1")
    token = text[len(_SCHEME) :].strip()
    if text[: len(_SCHEME)].lower() != _SCHEME or not token or not token.isascii():
        raise AuthenticationError("the header Authorization is not of the form `Bearer <API key or token>`")
    return token

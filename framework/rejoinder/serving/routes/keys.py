"""API keys, and tokens for end users."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from rejoinder.errors import InvalidInputError
from rejoinder.serving.access import Access, AnyEntry, Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.keys import KeyIn, KeyList, KeyOut, NewKeyOut, TokenIn, TokenOut
from rejoinder.serving.schemas.parts import in_utc
from rejoinder.tenants.keys import KeyRecord
from rejoinder.tenants.principal import require

router = APIRouter(tags=["keys"], route_class=JsonRoute)


@router.post(
    "/tokens",
    status_code=201,
    response_model=TokenOut,
    responses=responses_for("not-found", "media-type"),
    summary="Issue a token for an end user",
)
async def issue_token(body: TokenIn, entry: Annotated[Entry, Depends(May("issue_tokens"))], door: TheDoor) -> Response:
    """For a shop's backend: the token goes to the user's browser, is short-lived, and good for this user only. An agent's token needs
    a key that may answer for the bot."""
    if ":" in body.user_id:
        raise InvalidInputError(
            "body.user_id: ids with a ':' stand for users of channels ('<channel>:<id>') and for API keys; use one without"
        )
    issued = await door.application.tenants.issue_token(
        entry.principal,
        body.user_id,
        tenant=entry.tenant,
        locale=body.locale,
        time_zone=body.time_zone,
        ttl_s=body.ttl_s,
        role=body.role,
        name=body.name,
    )
    return json_response({"token": issued.token, "expires_at": issued.expires_at}, 201)


@router.post(
    "/keys",
    status_code=201,
    response_model=NewKeyOut,
    responses=responses_for("not-found", "media-type"),
    summary="Make an API key",
)
async def create_key(body: KeyIn, access: AnyEntry, door: TheDoor) -> Response:
    """The key is shown this once. An operator who names no tenant makes operators' keys."""
    expires_at = None if body.expires_at is None else in_utc(body.expires_at, "body.expires_at")
    made = await door.application.tenants.create_key(
        body.role, tenant=_owner(access), name=body.name, expires_at=expires_at
    )
    return json_response({**_told(made.record), "key": made.token}, 201)


@router.get("/keys", response_model=KeyList, responses=responses_for("not-found"), summary="List API keys")
async def list_keys(access: AnyEntry, door: TheDoor) -> Response:
    """Without their secrets, oldest first; revoked ones too. An operator who names no tenant sees operators' keys."""
    records = await door.application.tenants.list_keys(_owner(access))
    return json_response({"keys": [_told(record) for record in records]})


@router.delete(
    "/keys/{key_id}", response_model=KeyOut, responses=responses_for("not-found"), summary="Revoke an API key"
)
async def revoke_key(key_id: str, access: AnyEntry, door: TheDoor) -> Response:
    """The key, and every token that it issued, is worthless from now on."""
    return json_response(_told(await door.application.tenants.revoke_key(key_id, tenant=_owner(access))))


def _owner(access: Access) -> str | None:
    """Return the tenant whose keys are meant; None: the operators'.

    Raises:
        AccessError: the caller may not.
    """
    if access.principal.role == "operator" and access.named is None:
        require(access.principal, "manage_deployment")
        return None
    return access.enter("manage_tenant").tenant


def _told(record: KeyRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in KeyOut.model_fields}

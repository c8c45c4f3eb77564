"""Tenants: for operators, and for a tenant's own admins (`/v1/tenants/me`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from rejoinder.errors import InvalidInputError, SettingsError
from rejoinder.serving.access import Access, AnyEntry
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.tenants import SettingIn, TenantChange, TenantDetails, TenantIn, TenantList, TenantOut
from rejoinder.store.tables import Tenant
from rejoinder.tenants.principal import require

router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=JsonRoute)

TenantPath = Annotated[str, Path(description="A tenant's id, or `me`: the caller's own.")]
KeyPath = Annotated[str, Path(description="`plugin.key`, or `plugin.table.key`.")]


@router.post(
    "",
    status_code=201,
    response_model=TenantOut,
    responses=responses_for("conflict", "media-type"),
    summary="Add a tenant",
)
async def create_tenant(body: TenantIn, access: AnyEntry, door: TheDoor) -> Response:
    """For operators. A key for it is made with `POST /v1/keys` and the header `Rejoinder-Tenant`."""
    require(access.principal, "manage_deployment")
    if body.id == "me":
        raise InvalidInputError("body.id: 'me' stands for the caller's own tenant; choose another id")
    with _refused_settings():
        tenant = await door.application.tenants.create(
            body.id, name=body.name or None, settings=body.settings, plugins=body.plugins
        )
    return json_response(_told(tenant), 201, {"location": f"/v1/tenants/{tenant.id}"})


@router.get("", response_model=TenantList, responses=responses_for(), summary="List tenants")
async def list_tenants(access: AnyEntry, door: TheDoor) -> Response:
    """For operators: all of them, by id."""
    require(access.principal, "manage_deployment")
    return json_response({"tenants": [_told(one) for one in await door.application.tenants.list()]})


@router.get("/{tenant}", response_model=TenantDetails, responses=responses_for("not-found"), summary="Look at a tenant")
async def get_tenant(tenant: TenantPath, access: AnyEntry, door: TheDoor) -> Response:
    """Its plugins, and its settings with where each value came from; secrets are masked."""
    return await _details(_mine(access, tenant), door)


@router.patch(
    "/{tenant}",
    response_model=TenantDetails,
    responses=responses_for("not-found", "media-type"),
    summary="Rename or disable a tenant",
)
async def change_tenant(tenant: TenantPath, body: TenantChange, access: AnyEntry, door: TheDoor) -> Response:
    """What is left out stays. Only operators disable: from then on the tenant's keys and tokens are refused."""
    tenant = _mine(access, tenant)
    if body.disabled is not None:
        require(access.principal, "manage_deployment")
        await door.application.tenants.disable(tenant, disabled=body.disabled)
    if body.name is not None:
        await door.application.tenants.rename(tenant, body.name)
    return await _details(tenant, door)


@router.put(
    "/{tenant}/settings/{key}",
    response_model=TenantDetails,
    responses=responses_for("not-found", "media-type"),
    summary="Set one setting",
)
async def put_setting(tenant: TenantPath, key: KeyPath, body: SettingIn, access: AnyEntry, door: TheDoor) -> Response:
    """It holds at once here, and in other processes within 2 s. A secret is stored encrypted, and never shown again."""
    tenant = _mine(access, tenant)
    with _refused_settings():
        await door.application.tenants.set_setting(tenant, key, body.value)
    return await _details(tenant, door)


@router.delete(
    "/{tenant}/settings/{key}",
    response_model=TenantDetails,
    responses=responses_for("not-found"),
    summary="Put one setting back to its default",
)
async def delete_setting(tenant: TenantPath, key: KeyPath, access: AnyEntry, door: TheDoor) -> Response:
    """Removes what is stored with the tenant, so that files and defaults decide."""
    tenant = _mine(access, tenant)
    with _refused_settings():
        await door.application.tenants.unset_setting(tenant, key)
    return await _details(tenant, door)


@router.put(
    "/{tenant}/plugins/{plugin}",
    response_model=TenantDetails,
    responses=responses_for("not-found"),
    summary="Give a tenant a plugin",
)
async def enable_plugin(tenant: TenantPath, plugin: str, access: AnyEntry, door: TheDoor) -> Response:
    """Refused while a setting that the plugin requires is missing."""
    tenant = _mine(access, tenant)
    with _refused_settings():
        await door.application.tenants.enable_plugin(tenant, plugin)
    return await _details(tenant, door)


@router.delete(
    "/{tenant}/plugins/{plugin}",
    response_model=TenantDetails,
    responses=responses_for("not-found"),
    summary="Take a plugin from a tenant",
)
async def disable_plugin(tenant: TenantPath, plugin: str, access: AnyEntry, door: TheDoor) -> Response:
    """From then on the tenant has exactly the plugins that are listed with it."""
    tenant = _mine(access, tenant)
    with _refused_settings():
        await door.application.tenants.disable_plugin(tenant, plugin)
    return await _details(tenant, door)


def _mine(access: Access, tenant: str) -> str:
    """Return the tenant that is meant, if the caller manages it.

    Raises:
        AccessError: they do not; the text does not tell whether there is such a tenant.
    """
    found = access.tenant() if tenant == "me" else tenant
    require(access.principal, "manage_tenant", tenant=found)
    return found


@contextmanager
def _refused_settings() -> Iterator[None]:
    """Turn an error about settings, which elsewhere is the operator's, into the caller's: here they sent them."""
    try:
        yield
    except SettingsError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        errors = [{"field": "settings", "reason": line} for line in lines]
        raise ProblemError("invalid-input", "; ".join(lines), errors=errors) from error


def _told(tenant: Tenant) -> dict[str, Any]:
    return {name: getattr(tenant, name) for name in TenantOut.model_fields}


async def _details(tenant: str, door: Door) -> Response:
    row = await door.application.tenants.get(tenant)
    settings: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    enabled: list[str] = []
    problem = None
    try:
        resolved = await door.application.tenants.resolved(tenant)
    except SettingsError as error:  # a file of the tenant's is broken: this page must show it, not break too
        problem = str(error)
    else:
        settings = [{"key": one.key, "value": one.value, "source": one.origin.place} for one in resolved.rows()]
        skipped, enabled = dict(resolved.skipped), sorted(resolved.plugins)
    told = {"settings": settings, "skipped": skipped, "enabled": enabled, "problem": problem}
    return json_response({**_told(row), **told})

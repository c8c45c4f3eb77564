"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rejoinder.errors import AuthenticationError
from rejoinder.serving.access import bearer
from rejoinder.serving.door import Door, TheDoor
from rejoinder.tenants.principal import allows, require

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, door: TheDoor) -> Response:
    """Figures of all tenants for an operator's key, the token `server.metrics_token`, or, where `server.metrics_loopback` says so, whoever
    asks from this machine; of one tenant for a key of that tenant that may read analytics."""
    tenant = await _whose(request, door)
    await door.store_metrics.refresh()
    registry: CollectorRegistry = door.application.metrics.registry
    if tenant is not None:
        mine = CollectorRegistry()
        mine.register(_OfTenant([registry, door.store_metrics], tenant))
        text = generate_latest(mine)
    else:
        text = generate_latest(registry) + generate_latest(_alone(door.store_metrics))
    return Response(text, headers={"cache-control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


async def _whose(request: Request, door: Door) -> str | None:
    """Return the tenant whose figures may be seen; None: all tenants'.

    Raises:
        AuthenticationError, AccessError: nothing may be seen.
    """
    settings = door.application.settings.server
    header = request.headers.get("authorization")
    if header is None and settings.metrics_loopback and _is_loopback(request):
        return None
    token = bearer(None if header is None else header.encode("latin-1"))
    own = settings.metrics_token
    if own is not None and hmac.compare_digest(token.encode(), own.get_secret_value().encode()):
        return None
    access = await door.admit_token(token, count=False)
    if allows(access.principal, "manage_deployment"):
        return None
    if access.principal.user_id is not None or access.principal.tenant is None:
        raise AuthenticationError("the metrics need an API key, or the token of the setting server.metrics_token")
    require(access.principal, "read_analytics", tenant=access.principal.tenant)
    return access.principal.tenant


def _is_loopback(request: Request) -> bool:
    """Say whether a request comes from this machine, and no proxy says that it hands it on."""
    handed_on = any(name.startswith(("x-forwarded", "forwarded", "x-real-ip", "via")) for name in request.headers)
    if request.client is None or handed_on:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _alone(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _OfTenant(Collector):
    """What others tell of one tenant."""

    def __init__(self, sources: Iterable[Collector], tenant: str) -> None:
        self._sources = tuple(sources)
        self._tenant = tenant

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            for family in source.collect():
                mine = [one for one in family.samples if one.labels.get("tenant") == self._tenant]
                if mine:
                    shown = Metric(family.name, family.documentation, family.type, family.unit)
                    shown.samples = mine
                    yield shown

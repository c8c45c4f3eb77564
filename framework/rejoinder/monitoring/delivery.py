"""Bring alerts to their receivers: from the outbox, again and again until each arrives or is set aside."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.errors import HookError
from rejoinder.monitoring.settings import alerts_of
from rejoinder.payloads import Caller, Delivery
from rejoinder.store.alerts import claim_deliveries, delivery_done, delivery_failed

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request

__all__ = ["deliver_alerts", "retry_delay"]

_FIRST_S: Final = 10.0
_LONGEST_S: Final = 3600.0
_LEASE_S: Final = 120.0
_SYSTEM: Final = Caller(id="system", role="admin")

_logger = logging.getLogger("rejoinder.monitoring")


def retry_delay(attempt: int) -> timedelta:
    """Return how long to wait after the `attempt`th try (from 1) failed: twice as long each time, up to an hour.

    Up to a quarter more by chance, so that what failed together does not come back together.
    """
    seconds = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt - 1, 20))
    return timedelta(seconds=seconds * random.uniform(1.0, 1.25))  # noqa: S311  # no secret


async def deliver_alerts(application: Application, tenant: str) -> int:
    """Try the deliveries of a tenant that are due; return how many arrived.

    At least once: where a process ends after a receiver has taken an alert and before that is noted, it is sent again with the same
    incident id.
    """
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    most = alerts_of(request.settings).max_attempts
    arrived = 0
    while due := await claim_deliveries(
        application.database, tenant, lease_s=_LEASE_S, limit=1, at=application.clock()
    ):
        for delivery in due:
            problem = await _try(application, delivery, request)
            if problem is None:
                await delivery_done(application.database, tenant, delivery.id, at=application.clock())
                arrived += 1
                continue
            last = delivery.attempt >= most
            _logger.log(
                logging.ERROR if last else logging.WARNING,
                "alert %s of tenant %s did not reach %s%s: %s",
                delivery.alert.incident,
                tenant,
                delivery.receiver,
                " and is set aside" if last else "",
                problem,
            )
            again = None if last else application.clock() + retry_delay(delivery.attempt)
            await delivery_failed(application.database, tenant, delivery.id, error=problem, next_attempt_at=again)
    return arrived


async def _try(application: Application, delivery: Delivery, request: Request) -> str | None:
    """Return why a delivery failed; None: it arrived."""
    try:
        receipts = await application.host.deliver_alert(delivery, request)
    except HookError as error:
        return str(error)
    failed = [f"{plugin}: {receipt.reason}" for plugin, receipt in receipts if not receipt.delivered]
    if failed:
        return "; ".join(failed)
    return None if receipts else f"no plugin of this tenant knows the receiver {delivery.receiver!r}"

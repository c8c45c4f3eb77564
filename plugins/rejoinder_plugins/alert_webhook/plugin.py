"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Final

from rejoinder.allowed_hosts import AllowedHosts
from rejoinder.context import Context, Deployment
from rejoinder.errors import AccessError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Delivery, DeliveryReceipt
from rejoinder.posting import Poster
from rejoinder.wire import to_json

from rejoinder_plugins.alert_webhook.settings import AlertWebhookSettings

RECEIVER: Final = "webhook"

_TIMEOUT_S: Final = 20.0


class AlertWebhookPlugin:
    """Posts alerts to the receiver `webhook`, at least once each."""

    rejoinder_spec = ">=1.0,<2"
    settings = AlertWebhookSettings

    def __init__(self) -> None:
        self._poster = Poster(AllowedHosts())

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note which hosts the deployment allows."""
        self._poster = Poster(AllowedHosts(deployment.api_hosts))

    @hookimpl()
    async def deliver_alert(self, delivery: Delivery, context: Context) -> DeliveryReceipt | None:
        """Post an alert for the receiver `webhook`; None for any other.

        The body names the incident, and the header `Idempotency-Key` is a hash of its id: the same each time. `X-Rejoinder-Signature` is
        `t=SECONDS,v1=HEX`: the HMAC with SHA-256 and the tenant's secret of the seconds, a dot and the body, so that a receiver can
        refuse what others send, and what is old. Only hosts that the deployment allows are reached, redirects are not followed, and
        neither address nor secrets stand in a receipt.
        """
        if delivery.receiver != RECEIVER:
            return None
        settings: AlertWebhookSettings = context.settings
        if settings.url is None or settings.secret is None:
            return _failed("set `alert_webhook.url` and `alert_webhook.secret` for this tenant")
        import httpx

        told = {"event": "alert", "tenant": context.tenant, "attempt": delivery.attempt, **to_json(delivery.alert)}
        body = json.dumps(told, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": hashlib.sha256(delivery.alert.incident.encode()).hexdigest(),
            "X-Rejoinder-Signature": signature(
                settings.secret.get_secret_value(), body, int(context.now().timestamp())
            ),
            **settings.token_headers(),
        }
        try:
            async with asyncio.timeout(_TIMEOUT_S):  # looking up the host's address is within it
                status = await self._poster.post(
                    settings.url, body, headers, timeout_s=_TIMEOUT_S, attempt=max(0, delivery.attempt - 1)
                )
        except AccessError as refused:
            return _failed(str(refused))
        except (TimeoutError, httpx.TimeoutException):
            return _failed(f"the receiver did not answer within {_TIMEOUT_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return _failed(f"the receiver cannot be reached: {type(error).__name__}")
        if not 200 <= status < 300:
            return _failed(f"the receiver answered with status {status}")
        return DeliveryReceipt(delivered=True)


def signature(secret: str, body: bytes, seconds: int) -> str:
    """Return the header that proves who sent a body, and when."""
    signed = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


def _failed(reason: str) -> DeliveryReceipt:
    return DeliveryReceipt(delivered=False, reason=reason)

"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from rejoinder.allowed_hosts import AllowedHosts
from rejoinder.context import Context, Deployment
from rejoinder.errors import AccessError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Effect, EffectResult
from rejoinder.posting import Poster

from rejoinder_plugins.hand_off_webhook.settings import HandOffWebhookSettings

EFFECT: Final = "notify_hand_off"

_SHARE_OF_TIME: Final = 0.9
"""Of the time that the host gives an effect, so that what went wrong is told here."""


class HandOffWebhookPlugin:
    """Posts hand-offs to the tenant's own system, each at most once."""

    rejoinder_spec = ">=1.0,<2"
    settings = HandOffWebhookSettings

    def __init__(self) -> None:
        self._poster = Poster(AllowedHosts())

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note which hosts the deployment allows."""
        self._poster = Poster(AllowedHosts(deployment.api_hosts))

    @hookimpl()
    async def run_effect(self, effect: Effect, context: Context) -> EffectResult | None:
        """Post the effect `notify_hand_off`; None for any other.

        Only hosts that the deployment allows are reached, redirects are not followed, and neither the address nor the token ever
        stands in a result.
        """
        if effect.name != EFFECT:
            return None
        settings: HandOffWebhookSettings = context.settings
        if settings.url is None:
            return _failed(
                "no receiver: set `hand_off_webhook.url` for this tenant, or clear `dialogue.hand_off_notifier`"
            )
        import httpx

        body = json.dumps({**effect.arguments, "event": "hand_off", "tenant": context.tenant}, ensure_ascii=False)
        headers = {"Content-Type": "application/json", "Idempotency-Key": effect.key, **settings.token_headers()}
        timeout_s = _SHARE_OF_TIME * min(effect.timeout_s, context.remaining_s or effect.timeout_s)
        try:
            async with asyncio.timeout(timeout_s):  # looking up the host's address is within it
                status = await self._poster.post(settings.url, body.encode(), headers, timeout_s=timeout_s)
        except AccessError as refused:
            return _failed(str(refused))
        except (TimeoutError, httpx.TimeoutException):
            return _failed(f"the receiver did not answer within {effect.timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return _failed(f"the receiver cannot be reached: {type(error).__name__}")
        if not 200 <= status < 300:
            return _failed(f"the receiver answered with status {status}")
        return EffectResult(name=EFFECT, ok=True, value={"status": status})


def _failed(error: str) -> EffectResult:
    return EffectResult(name=EFFECT, ok=False, error=error)

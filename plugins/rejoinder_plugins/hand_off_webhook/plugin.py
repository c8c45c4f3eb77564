"""The plugin's hooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Effect, EffectResult

from rejoinder_plugins.hand_off_webhook.settings import HandOffWebhookSettings

if TYPE_CHECKING:
    import ssl

    import httpx

EFFECT: Final = "notify_hand_off"


class HandOffWebhookPlugin:
    """Posts hand-offs to the tenant's own system, each at most once."""

    rejoinder_spec = ">=1.0,<2"
    settings = HandOffWebhookSettings

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Take a transport of httpx, for tests; None opens connections as usual."""
        self._transport = transport
        self._tls: ssl.SSLContext | None = None

    @hookimpl()
    async def run_effect(self, effect: Effect, context: Context) -> EffectResult | None:
        """Post the effect `notify_hand_off`; None for any other.

        Redirects are not followed, and neither the address nor the token ever stands in a result.
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
        try:
            async with self._client(min(effect.timeout_s, context.remaining_s or effect.timeout_s)) as client:
                response = await client.post(settings.url, content=body.encode(), headers=headers)
        except httpx.TimeoutException:
            return _failed(f"the receiver did not answer within {effect.timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _failed(f"the receiver cannot be reached: {type(error).__name__}")
        if not response.is_success:
            return _failed(f"the receiver answered with status {response.status_code}")
        return EffectResult(name=EFFECT, ok=True, value={"status": response.status_code})

    def _client(self, timeout_s: float) -> httpx.AsyncClient:
        """Return a client of its own for one post, so that no cookie or connection passes from tenant to tenant."""
        import httpx

        options: dict[str, Any] = {"timeout": timeout_s, "follow_redirects": False}
        if self._transport is not None:
            return httpx.AsyncClient(transport=self._transport, **options)
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return httpx.AsyncClient(verify=self._tls, **options)


def _failed(error: str) -> EffectResult:
    return EffectResult(name=EFFECT, ok=False, error=error)

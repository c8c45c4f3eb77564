"""Settings of the plugin `hand_off_webhook`."""

from __future__ import annotations

from pydantic import Field
from rejoinder.header_token import HeaderToken


class HandOffWebhookSettings(HeaderToken):
    """Whom to tell that a person is wanted."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        max_length=2000,
        description="Where a hand-off is posted as JSON; unset: nobody is told.",
    )

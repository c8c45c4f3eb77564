"""Settings of the plugin `hand_off_webhook`."""

from __future__ import annotations

from pydantic import Field, field_validator
from rejoinder.allowed_hosts import has_host_and_port
from rejoinder.header_token import HeaderToken


class HandOffWebhookSettings(HeaderToken):
    """Whom to tell that a person is wanted."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$",
        max_length=2000,
        description="Where a hand-off is posted as JSON; unset: nobody is told. `security.api_hosts` of the deployment says which hosts.",
    )

    @field_validator("url")
    @classmethod
    def _has_a_host_and_port(cls, url: str | None) -> str | None:
        if url is not None and not has_host_and_port(url):
            raise ValueError("the address needs a host, and a port from 1 to 65535 if it names one")
        return url

"""Settings of the plugin `alert_webhook`."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from rejoinder.allowed_hosts import has_host_and_port
from rejoinder.header_token import HeaderToken


class AlertWebhookSettings(HeaderToken):
    """Where alerts are posted."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$",
        max_length=2000,
        description="Where alerts are posted as JSON. `security.api_hosts` of the deployment says which hosts.",
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        max_length=1000,
        description="Key of the signature (HMAC with SHA-256) in the header `X-Rejoinder-Signature`; without one nothing is posted.",
    )

    @field_validator("url")
    @classmethod
    def _has_a_host_and_port(cls, url: str | None) -> str | None:
        if url is not None and not has_host_and_port(url):
            raise ValueError("the address needs a host, and a port from 1 to 65535 if it names one")
        return url

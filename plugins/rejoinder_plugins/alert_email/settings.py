"""Settings of the plugin `alert_email`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;\"]{1,64}@[A-Za-z0-9.-]{1,253}$")]


class AlertEmailSettings(BaseModel):
    """The mail server, and whom it writes to."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]+$",
        max_length=253,
        description="The mail server (SMTP). `security.api_hosts` of the deployment says which hosts.",
    )
    port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`tls`: from the first byte, mostly on port 465; `none`: only within a trusted network.",
    )
    user: str | None = Field(default=None, max_length=200, description="Whom to log in as; unset: nobody.")
    password: SecretStr | None = Field(default=None, description="Their password.")
    sender: Address | None = Field(default=None, description="Address that alerts come from.")
    to: tuple[Address, ...] = Field(default=(), max_length=50, description="Addresses that get them.")

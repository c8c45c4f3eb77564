"""API keys and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rejoinder.serving.schemas.parts import Incoming, KeyRoleName, Outgoing, UserId, example


class TokenIn(Incoming):
    """A token for an end user, who is known to the bot by this id only."""

    model_config = example(user_id="customer-17", locale="en", time_zone="UTC")

    user_id: UserId = Field(description="Without a colon: ids with one stand for users of channels and for API keys.")
    locale: str = "en"
    time_zone: str = "UTC"
    ttl_s: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Seconds; at most the deployment's.")
    role: Literal["customer", "agent"] = "customer"
    name: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", description="What people call them; customers see an agent's."
    )


class TokenOut(Outgoing):
    """A token; it is shown once."""

    token: str
    expires_at: datetime


class KeyIn(Incoming):
    """A new API key."""

    model_config = example(role="agent", name="help desk")

    role: KeyRoleName
    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    expires_at: Annotated[datetime, Field(strict=False)] | None = None


class KeyOut(Outgoing):
    """An API key, without its secret."""

    id: str
    tenant: str | None
    prefix: str
    role: KeyRoleName
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class NewKeyOut(KeyOut):
    """A new API key; `key` is shown this once."""

    key: str


class KeyList(Outgoing):
    """API keys, newest first."""

    keys: list[KeyOut]

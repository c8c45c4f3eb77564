"""Tenants and their settings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from rejoinder.payloads import Json
from rejoinder.serving.schemas.parts import Incoming, Outgoing, TenantId, example


class TenantIn(Incoming):
    """A new tenant."""

    model_config = example(id="acme", name="Acme Ltd")

    id: TenantId
    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    settings: dict[str, dict[str, Json]] | None = Field(default=None, description="By plugin and key.")
    plugins: list[str] | None = Field(default=None, description="Names of its plugins; none given: all, now and later.")


class TenantChange(Incoming):
    """What to change of a tenant; what is left out stays."""

    model_config = example(name="Acme Holding")

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None
    disabled: bool | None = Field(default=None, description="For operators only.")


class SettingIn(Incoming):
    """The new value of one setting."""

    model_config = example(value=0.4)

    value: Json = Field(description="What JSON can say; what fits depends on the setting.")


class SettingOut(Outgoing):
    """One setting, where its value came from; secrets are masked."""

    key: str
    value: Json
    source: str


class TenantOut(Outgoing):
    """A tenant."""

    id: str
    name: str
    disabled: bool
    plugins: list[str] | None = Field(description="The plugins that it was given; null: all of the deployment's.")
    created_at: datetime


class TenantDetails(TenantOut):
    """A tenant with its settings."""

    enabled: list[str] = Field(description="The plugins that it has and that can be used.")
    problem: str | None = Field(description="What is wrong with its settings, so that they cannot be used; else null.")
    settings: list[SettingOut]
    skipped: dict[str, str] = Field(description="Plugins that it has but that cannot be used, and why.")


class TenantList(Outgoing):
    """Tenants by id."""

    tenants: list[TenantOut]

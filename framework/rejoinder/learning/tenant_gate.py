"""The table `[gate]` of a tenant's settings: the deployment's own, in which a tenant may be more careful than it, never less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from pydantic import Field, create_model

from rejoinder.settings import GateSettings

__all__ = ["SECTION", "gate_of", "tenant_gate"]

SECTION: Final = "gate"

_AT_MOST: Final = ("error", "regression_margin", "regression_error", "ece_margin", "latency_ratio", "canary_share")
_AT_LEAST: Final = ("shadow_turns", "canary_error", "canary_turns", "canary_hours", "pause_hours")


def tenant_gate(deployment: GateSettings) -> type[GateSettings]:
    """Return the model of a tenant's table: the deployment's values, each of which is the bound for the tenant's own.

    Example:
        >>> tenant_gate(GateSettings(shadow_turns=100))(shadow_turns=500).shadow_turns
        500
    """
    fields: dict[str, Any] = {}
    for name, info in GateSettings.model_fields.items():
        value = getattr(deployment, name)
        bound: dict[str, Any] = {"le": value} if name in _AT_MOST else {"ge": value} if name in _AT_LEAST else {}
        if name == "canary_share" and value:
            bound["gt"] = 0.0  # without a canary, a model answers all at once
        kind = Literal[False] if name == "automatic" and not value else info.annotation
        made: Any = Field(default=value, description=info.description, **bound)
        made.metadata = [*info.metadata, *made.metadata]
        fields[name] = (kind, made)
    model = create_model("TenantGateSettings", __base__=GateSettings, __doc__=GateSettings.__doc__, **fields)
    return cast("type[GateSettings]", model)


def gate_of(settings: Mapping[str, object], deployment: GateSettings) -> GateSettings:
    """Return the table out of a tenant's settings; the deployment's where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, GateSettings) else deployment

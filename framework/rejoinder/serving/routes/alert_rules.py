"""Rules by which users want to be told: their own; administrators see and remove everybody's."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from rejoinder.monitoring.rules import condition_of
from rejoinder.monitoring.settings import alerts_of
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.monitoring import AlertRuleIn, AlertRuleList, AlertRuleOut
from rejoinder.store.alert_rules import add_alert_rule, list_alert_rules, remove_alert_rule
from rejoinder.store.tables import AlertRule

router = APIRouter(prefix="/alert-rules", tags=["monitoring"], route_class=JsonRoute)

Reader = Annotated[Entry, Depends(May("read_analytics"))]


@router.get("", response_model=AlertRuleList, responses=responses_for("not-found"), summary="List rules of alerts")
async def list_rules(
    entry: Reader,
    door: TheDoor,
    after: Annotated[str, Query(max_length=200, description="The id of the last rule of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The caller's own, oldest first; those of all users for administrators."""
    await door.application.tenants.get(entry.tenant)
    found = await list_alert_rules(
        door.application.database, entry.tenant, user_id=_whose(entry), after=after, limit=limit
    )
    return json_response({"rules": [told_rule(row) for row in found]})


@router.post(
    "",
    status_code=201,
    response_model=AlertRuleOut,
    responses=responses_for("not-found", "conflict", "media-type", "invalid-input"),
    summary="Want to be told",
)
async def add_rule(body: AlertRuleIn, entry: Reader, door: TheDoor) -> Response:
    """An alert is raised when the condition begins to hold, and again when it has ceased to hold in between. It is delivered as those of
    detected surges are, and never told as a part of another. A user has at most `alerts.rules_per_user` rules."""
    application = door.application
    settings = (await application.tenants.served(entry.tenant)).settings
    made = await add_alert_rule(
        application.database,
        entry.tenant,
        user_id=entry.caller.id,
        key=body.key,
        name=body.name,
        condition=body.condition.model_dump(),
        at=application.clock(),
        most=alerts_of(settings).rules_per_user,
    )
    return json_response(told_rule(made), 201)


@router.delete("/{rule_id}", status_code=204, responses=responses_for("not-found"), summary="Remove a rule")
async def remove_rule(
    rule_id: Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The rule's id.")], entry: Reader, door: TheDoor
) -> Response:
    """One's own; any for administrators. Alerts that it raised stay."""
    await remove_alert_rule(door.application.database, entry.tenant, rule_id, user_id=_whose(entry))
    return Response(status_code=204)


def told_rule(row: AlertRule) -> dict[str, Any]:
    """Return a rule as it is shown."""
    condition = condition_of(row)
    own = {name: getattr(row, name) for name in ("id", "user_id", "key", "name", "holds", "looked_at", "created_at")}
    return {**own, "condition": condition.model_dump(), "says": condition.in_words(row.name or row.key)}


def _whose(entry: Entry) -> str | None:
    """Return the user whose rules may be seen; None: everybody's."""
    return None if entry.caller.role == "admin" else entry.caller.id

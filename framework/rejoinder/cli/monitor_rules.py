"""`rejoinder monitor rules`: what people want to be told of."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rejoinder.cli.output import JsonOption, show_record, show_table

if TYPE_CHECKING:
    from rejoinder.monitoring.rules import Condition
    from rejoinder.store.tables import AlertRule

__all__ = ["app"]

app = typer.Typer(help="Rules of alerts: what people want to be told of.", no_args_is_help=True)

_COLUMNS: Final = ("id", "user_id", "key", "says", "holds", "looked_at", "created_at")
_BY: Final = "command line"

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose stream.", metavar="ID")]


class MeasureName(StrEnum):
    """What is measured."""

    sentiment = "sentiment"
    negative_share = "negative_share"
    negative_count = "negative_count"
    texts = "count"


class ComparisonName(StrEnum):
    """How it is compared."""

    below = "below"
    above = "above"
    times = "times"


@app.command("list")
def list_(
    tenant: TenantOption,
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.", metavar="ID")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many at most.")] = 100,
    json: JsonOption = False,
) -> None:
    """List rules, oldest first."""
    from rejoinder.cli.runtime import run

    rows = run(_list(tenant, user, limit))
    show_table([_told(row) for row in rows], _COLUMNS, json=json, title=f"Rules of {tenant}", empty="No rules.")


@app.command()
def add(
    tenant: TenantOption,
    key: Annotated[str, typer.Argument(help="What it is about: the key of a company's mentions.")],
    measure: Annotated[MeasureName, typer.Argument(help="What is measured.")],
    comparison: Annotated[ComparisonName, typer.Argument(help="How it is compared.")],
    threshold: Annotated[float, typer.Argument(help="With what; write -- before a negative number.")],
    user: Annotated[str, typer.Option("--user", help="Whose rule it is.", metavar="ID")] = _BY,
    name: Annotated[str, typer.Option("--name", help="What people call the key.")] = "",
    hours: Annotated[float, typer.Option("--hours", help="Documents of so many last hours count.")] = 24.0,
    least: Annotated[int, typer.Option("--least", help="It holds with so many documents at least.")] = 3,
    json: JsonOption = False,
) -> None:
    """Add a rule: an alert is raised when its condition begins to hold."""
    from pydantic import ValidationError

    from rejoinder.cli.runtime import run
    from rejoinder.errors import InvalidInputError
    from rejoinder.monitoring.rules import Condition

    try:
        condition = Condition(
            measure=measure.value,
            comparison=comparison.value,
            threshold=threshold,
            window_hours=hours,
            least_documents=least,
        )
    except ValidationError as error:
        raise InvalidInputError("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())) from None
    show_record(_told(run(_add(tenant, user, key, name, condition))), json=json)


@app.command()
def remove(
    tenant: TenantOption, rule: Annotated[str, typer.Argument(help="The rule's id.")], json: JsonOption = False
) -> None:
    """Remove a rule; alerts that it raised stay."""
    from rejoinder.cli.runtime import run

    run(_remove(tenant, rule))
    show_record({"id": rule, "removed": True}, json=json)


# --- within --------------------------------------------------------------------------------------------------------


def _told(row: AlertRule) -> dict[str, Any]:
    from rejoinder.monitoring.rules import condition_of

    says = condition_of(row).in_words(row.name or row.key)
    return {name: says if name == "says" else getattr(row, name) for name in _COLUMNS}


async def _list(tenant: str, user: str | None, limit: int) -> list[AlertRule]:
    from rejoinder.cli.monitor import opened
    from rejoinder.store.alert_rules import list_alert_rules

    async with opened(tenant) as (database, _):
        return await list_alert_rules(database, tenant, user_id=user, limit=limit)


async def _add(tenant: str, user: str, key: str, name: str, condition: Condition) -> AlertRule:
    from rejoinder.cli.monitor import opened
    from rejoinder.context import utc_now
    from rejoinder.monitoring.settings import alerts_of
    from rejoinder.store.alert_rules import add_alert_rule

    async with opened(tenant) as (database, settings):
        return await add_alert_rule(
            database,
            tenant,
            user_id=user,
            key=key,
            name=name,
            condition=condition.model_dump(),
            at=utc_now(),
            most=alerts_of(settings).rules_per_user,
        )


async def _remove(tenant: str, rule: str) -> None:
    from rejoinder.cli.monitor import opened
    from rejoinder.store.alert_rules import remove_alert_rule

    async with opened(tenant) as (database, _):
        await remove_alert_rule(database, tenant, rule)

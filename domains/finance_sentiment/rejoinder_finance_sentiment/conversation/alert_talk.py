"""Alerts in conversation: listed, looked at, and seen to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import NotFoundError
from rejoinder.payloads import Action, Answer, Citation, Effect, EffectResult
from rejoinder.store.tables import AlertRow

from rejoinder_finance_sentiment.conversation import intents
from rejoinder_finance_sentiment.conversation.chart import chart_card
from rejoinder_finance_sentiment.conversation.choosing import places_named
from rejoinder_finance_sentiment.conversation.turn import KIND, Turn
from rejoinder_finance_sentiment.conversation.words import alert_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.monitoring.tenant_monitoring import TenantMonitoring

    from rejoinder_finance_sentiment.conversation.naming import Directory

__all__ = ["acknowledge", "alert_answer", "done", "listed", "run", "show"]

_ACKNOWLEDGE: Final = "acknowledge_alert"
_MOST_LISTED: Final = 10
_MOST_LOOKED_AT: Final = 500
_MOST_CITED: Final = 5
_LEAST_SHOWN: Final = timedelta(days=7)


async def listed(turn: Turn) -> Action:
    """List the alerts that nobody sees to, of the companies that are named, if any."""
    found = await turn.monitoring.alerts(open_only=True, limit=_MOST_LOOKED_AT)
    period = turn.request.period
    kept = [
        one
        for one in found
        if (not turn.named.keys or one.key in turn.named.keys)
        and (period is None or period.start <= one.at < period.end)
    ]
    about = f" about {' and '.join(map(turn.directory.name, turn.named.keys))}" if turn.named.keys else ""
    when = f" of {period.in_words(turn.monitoring.time_zone)}" if period is not None else ""
    memory = replace(turn.memory, alerts=tuple(one.id for one in kept[:_MOST_LISTED]))
    if not kept:
        return turn.says(f"No alert{about}{when} is open.", memory, "no alerts")
    zone = turn.monitoring.time_zone
    lines = "\n".join(f"{number}. {alert_line(one, zone)}" for number, one in enumerate(kept[:_MOST_LISTED], 1))
    more = f"\nand {len(kept) - _MOST_LISTED} more." if len(kept) > _MOST_LISTED else ""
    count = "1 alert is" if len(kept) == 1 else f"{len(kept)} alerts are"
    return turn.says(f"{count} open{about}{when}, newest first:\n{lines}{more}", memory, "alerts listed")


async def show(turn: Turn) -> Action:
    """Look at the alert that the message points to."""
    row = await _meant(turn)
    if row is None:
        return turn.says(_none_of(turn), turn.memory, "no such alert")
    memory = replace(turn.memory, alerts=(row.id, *(one for one in turn.memory.alerts if one != row.id)))
    if row.key in turn.directory.companies:
        memory = replace(memory, last=replace(turn.request, intent=intents.ALERT_SHOW, keys=(row.key,)))
    return turn.answers({"alert": row.id}, memory, "an alert was asked about")


async def acknowledge(turn: Turn) -> Action:
    """See to the alert that the message points to, in the caller's name."""
    row = await _meant(turn)
    if row is None:
        return turn.says(_none_of(turn), turn.memory, "no such alert")
    effect = Effect(name=_ACKNOWLEDGE, plugin=KIND, arguments={"alert": row.id})
    return turn.does((effect,), replace(turn.memory, doing=_ACKNOWLEDGE), "an alert is seen to")


def done(turn: Turn) -> Action | None:
    """Say what came of seeing to an alert in this turn; None where that was not done."""
    if turn.memory.doing != _ACKNOWLEDGE:
        return None
    memory = replace(turn.memory, doing="")
    result = next((one for one in reversed(turn.state.effects) if one.name == _ACKNOWLEDGE), None)
    if result is None or not result.ok:
        return turn.says("That alert is not there any more.", memory, "not acknowledged")
    return turn.says(f"Noted, {result.value}.", memory, "acknowledged")


async def run(effect: Effect, context: Context) -> EffectResult | None:
    """See to an alert; None: the effect is another one."""
    if context.monitoring is None or effect.name != _ACKNOWLEDGE:
        return None
    try:
        row = await context.monitoring.acknowledge(effect.arguments["alert"], by=context.caller.id, at=context.now())
    except NotFoundError as error:
        return EffectResult(name=_ACKNOWLEDGE, ok=False, error=str(error))
    who = "you" if row.acknowledged_by == context.caller.id else row.acknowledged_by
    return EffectResult(name=_ACKNOWLEDGE, ok=True, value=f"“{row.title}” is seen to by {who}")


async def alert_answer(
    alert_id: str, monitoring: TenantMonitoring, directory: Directory, as_of: datetime
) -> Answer | None:
    """Return what is known of an alert; None where the tenant has none of this id."""
    try:
        row = await monitoring.alert(alert_id)
    except NotFoundError:
        return None
    said = [f"{alert_line(row, monitoring.time_zone)}.", row.explanation]
    if row.evidence:
        quotes = [f"- “{one['quote']}”" for one in row.evidence[:_MOST_CITED] if one.get("quote")]
        said.append("\n".join(["The documents that drove it:", *quotes]) if quotes else "")
    card = None
    if row.key in directory.companies:
        since = _since(row)
        start = min(since - 3 * (row.at - since), row.at - _LEAST_SHOWN)
        end = row.at + timedelta(seconds=1)
        names = {row.key: directory.name(row.key)}
        card = await chart_card(monitoring, names, start, end, as_of, row.title)
        card = replace(card, data={**card.data, "alert": row.id, "figures": row.data})
    return Answer(
        id=f"alert:{row.id}",
        score=1.0,
        source=KIND,
        text="\n".join(filter(None, said)),
        intent=intents.ALERT_SHOW,
        citations=_citations(row.evidence[:_MOST_CITED]),
        card=card,
    )


async def _meant(turn: Turn) -> AlertRow | None:
    """Return the alert that a message points to: by its company, its place in the last list, or as the one spoken of."""
    if turn.named.keys:
        found = [one for key in turn.named.keys for one in await turn.monitoring.alerts(key=key)]
        return max(found, key=lambda one: (one.acknowledged_at is None, one.id), default=None)
    order = turn.memory.alerts
    if not order:
        newest = await turn.monitoring.alerts(open_only=True, limit=1)
        return newest[0] if newest else None
    places = places_named(turn.message.text, len(order)) or (0,)
    try:
        return await turn.monitoring.alert(order[places[0]])
    except NotFoundError:
        return None


def _none_of(turn: Turn) -> str:
    about = f" about {' or '.join(map(turn.directory.name, turn.named.keys))}" if turn.named.keys else ""
    return f"There is no alert{about}."


def _since(row: AlertRow) -> datetime:
    since = row.data.get("since")
    return datetime.fromisoformat(since) if isinstance(since, str) else row.at


def _citations(evidence: Sequence[dict[str, object]]) -> tuple[Citation, ...]:
    return tuple(
        Citation(
            source=str(one["source"]),
            title=str(one.get("title") or ""),
            url=str(one["url"]) if one.get("url") else None,
            quote=str(one["quote"]) if one.get("quote") else None,
        )
        for one in evidence
    )

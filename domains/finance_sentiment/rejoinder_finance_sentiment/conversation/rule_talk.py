"""Rules in conversation: wanted, confirmed, listed and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rejoinder.context import Context
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.monitoring.rules import Condition
from rejoinder.payloads import Action, Effect, EffectResult, Option
from rejoinder.store.tables import AlertRule

from rejoinder_finance_sentiment.conversation.choosing import places_named, says_yes
from rejoinder_finance_sentiment.conversation.rule_words import read_condition
from rejoinder_finance_sentiment.conversation.turn import KIND, Turn
from rejoinder_finance_sentiment.conversation.words import rule_line

__all__ = ["CONDITION", "CONFIRM", "add", "conditioned", "confirmed", "done", "listed", "remove", "run"]

CONFIRM: Final = "finance_sentiment.confirm"
"""The slot of the question whether a rule is to be made or removed."""
CONDITION: Final = "finance_sentiment.condition"
"""The slot of the question when somebody wants to be told."""

_ADD: Final = "add_alert_rule"
_REMOVE: Final = "remove_alert_rule"
_YES_NO: Final = (Option(title="Yes", value="yes"), Option(title="No", value="no"))


def add(turn: Turn, keys: Sequence[str]) -> Action:
    """Ask whether a rule is to be made; or when somebody wants to be told, where they did not say so."""
    condition = _condition(turn, turn.request.text)
    if condition is None:
        names = _listed_names(turn, keys)
        text = (
            f"When shall I alert you about {names}? For instance “when sentiment falls below -0.2”, “when bad news doubles”, or “when "
            "more than 40% of the news is negative within 6 hours”."
        )
        return turn.asks(text, CONDITION, replace(turn.memory, rule={"keys": list(keys)}), "a rule without a condition")
    return _confirm(turn, keys, condition)


def conditioned(turn: Turn) -> Action | None:
    """Take the answer to the question when somebody wants to be told; None where it sets no condition."""
    keys = turn.memory.rule.get("keys", ())
    condition = _condition(turn, turn.message.text)
    return None if condition is None or not keys else _confirm(turn, keys, condition)


def confirmed(turn: Turn) -> Action | None:
    """Take the answer to the question whether it is to be done; None where it is neither yes nor no."""
    said = says_yes(turn.message.text)
    if said is None:
        return None
    memory = replace(turn.memory, rule={})
    if not said:
        return turn.says("All right, I leave it as it is.", memory, "not confirmed")
    if removed := turn.memory.rule.get("remove"):
        effects = [Effect(name=_REMOVE, plugin=KIND, arguments={"rule": rule}) for rule in removed]
    else:
        wanted = turn.memory.rule
        effects = [
            Effect(
                name=_ADD,
                plugin=KIND,
                arguments={"key": key, "name": turn.directory.name(key), "condition": wanted["condition"]},
            )
            for key in wanted.get("keys", ())
        ]
    return turn.does(tuple(effects), replace(memory, doing=effects[0].name if effects else ""), "confirmed")


def done(turn: Turn) -> Action | None:
    """Say what came of what was done in this turn; None where it was nothing of rules."""
    if turn.memory.doing not in (_ADD, _REMOVE):
        return None
    results = [one for one in turn.state.effects if one.name == turn.memory.doing]
    memory = replace(turn.memory, doing="", rules=())
    failed = [one.error or "it could not be done" for one in results if not one.ok]
    good = [str(one.value) for one in results if one.ok]
    made = turn.memory.doing == _ADD
    said = [f"Done: I alert you {line}." if made else f"Removed: {line}." for line in good]
    said += [f"That did not work: {one}" for one in failed]
    if made and good:
        said.append("Say “what rules do I have” to see them all.")
    return turn.says("\n".join(said) or "Nothing was done.", memory, "rules changed")


async def listed(turn: Turn) -> Action:
    """List the caller's rules."""
    rules = await _mine(turn)
    if not rules:
        about = f" about {_listed_names(turn, turn.named.keys)}" if turn.named.keys else ""
        return turn.says(f"You have no rules{about}.", replace(turn.memory, rules=()), "no rules")
    lines = "\n".join(f"{number}. {rule_line(one)}" for number, one in enumerate(rules, 1))
    memory = replace(turn.memory, rules=tuple(one.id for one in rules))
    return turn.says(f"I alert you\n{lines}", memory, "rules listed")


async def remove(turn: Turn) -> Action:
    """Ask whether rules are to be removed: those that the message points to."""
    mine = {one.id: one for one in await turn.monitoring.rules(turn.context.caller.id)}
    order = [mine[rule] for rule in turn.memory.rules if rule in mine] or list(mine.values())
    wanted = [one for one in order if one.key in turn.named.keys]
    if not turn.named.keys:
        places = places_named(turn.message.text, len(order))
        wanted = [order[place] for place in places] or (order if len(order) == 1 else [])
    if not mine:
        return turn.says("You have no rules.", replace(turn.memory, rules=()), "no rules")
    if not wanted:
        lines = "\n".join(f"{number}. {rule_line(one)}" for number, one in enumerate(order, 1))
        about = f"You have no rule about {_listed_names(turn, turn.named.keys)}. " if turn.named.keys else ""
        memory = replace(turn.memory, rules=tuple(one.id for one in order))
        return turn.says(f"{about}Which of your rules shall I remove?\n{lines}", memory, "which rule")
    lines = "; ".join(rule_line(one) for one in wanted)
    memory = replace(turn.memory, rule={"remove": [one.id for one in wanted]})
    return turn.asks(
        f"Shall I stop alerting you {lines}?", CONFIRM, memory, "to be confirmed", options=_YES_NO, confirm=True
    )


async def run(effect: Effect, context: Context) -> EffectResult | None:
    """Make or remove a rule of the caller; the same effect twice makes one rule. None: the effect is none of rules."""
    monitoring = context.monitoring
    if monitoring is None or effect.name not in (_ADD, _REMOVE):
        return None
    said, me = effect.arguments, context.caller.id
    if effect.name == _ADD:
        condition = Condition.model_validate(said["condition"])
        rule = f"rule_{effect.key[:32]}"
        try:
            row = await monitoring.add_rule(rule, me, said["key"], said["name"], condition, at=context.now())
        except ConflictError as error:
            return EffectResult(name=_ADD, ok=False, error=f"{error}.")
        return EffectResult(name=_ADD, ok=True, value=rule_line(row))
    found = next((one for one in await monitoring.rules(me) if one.id == said["rule"]), None)
    try:
        await monitoring.remove_rule(said["rule"], me)
    except NotFoundError:
        return EffectResult(name=_REMOVE, ok=False, error="that rule is not there any more.")
    return EffectResult(name=_REMOVE, ok=True, value="" if found is None else rule_line(found))


def _confirm(turn: Turn, keys: Sequence[str], condition: Condition) -> Action:
    says = "; and ".join(condition.in_words(turn.directory.name(key)) for key in keys)
    receivers = turn.monitoring.receivers
    where = "on the event stream" + (f" and by {', '.join(receivers)}" if receivers else "")
    memory = replace(turn.memory, rule={"keys": list(keys), "condition": condition.model_dump()})
    text = f"Shall I alert you, {where}, when {says}?"
    return turn.asks(text, CONFIRM, memory, "to be confirmed", options=_YES_NO, confirm=True)


def _condition(turn: Turn, text: str) -> Condition | None:
    return read_condition(text, hours=turn.settings.rule_hours, documents=turn.settings.rule_documents)


async def _mine(turn: Turn) -> list[AlertRule]:
    rules = await turn.monitoring.rules(turn.context.caller.id)
    return [one for one in rules if not turn.named.keys or one.key in turn.named.keys]


def _listed_names(turn: Turn, keys: Sequence[str]) -> str:
    return " and ".join(turn.directory.name(key) for key in keys)

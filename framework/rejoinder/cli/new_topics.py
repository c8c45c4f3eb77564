"""`rejoinder monitor topics`: what documents are about that no topic fits, and what a person makes of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.review import opened_for
from rejoinder.cli.runtime import run
from rejoinder.payloads import Caller

__all__ = ["app"]

app = typer.Typer(help="New topics, proposed from documents that no topic fits.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option("--tenant", help="Whose stream.", metavar="ID")]
_Proposal = Annotated[str, typer.Argument(help="The proposal's id.")]
_By = Annotated[str, typer.Option("--by", help="Who decides, as it is kept with what they say.")]
_State = Literal["open", "accepted", "rejected"]
_COLUMNS = ("id", "title", "name", "size", "keywords", "examples")


@app.command("list")
def list_topics(
    tenant: _Tenant,
    find: Annotated[
        bool, typer.Option("--find", help="Look in the documents of the last four weeks; else as they were found last.")
    ] = False,
    state: Annotated[_State, typer.Option("--state", help="Which ones, without --find.")] = "open",
    json: JsonOption = False,
) -> None:
    """Show what is proposed, the largest first."""
    show_table(run(_list(tenant, find, state)), _COLUMNS, json=json, empty="(no proposals)")


@app.command("accept")
def accept(
    proposal: _Proposal,
    tenant: _Tenant,
    name: Annotated[str | None, typer.Option("--name", help="What it is called; default: as proposed.")] = None,
    word: Annotated[
        list[str] | None,
        typer.Option("--word", help="A word that makes a text be about it, as `gold` or `silver*`; may be repeated."),
    ] = None,
    by: _By = "command line",
    json: JsonOption = False,
) -> None:
    """Make a proposal a topic of the tenant's settings, with its documents as examples."""
    done = run(_accept(tenant, proposal, name, word or [], by))
    say(f"{proposal} is the topic {done['name']!r} now: setting {done['setting']}.", json=json, data=done)


@app.command("reject")
def reject(proposal: _Proposal, tenant: _Tenant, by: _By = "command line", json: JsonOption = False) -> None:
    """Say that a proposal is no topic: neither it nor what is like it is proposed again."""
    done = run(_reject(tenant, proposal, by))
    say(f"{proposal} ({done['title']}) was rejected.", json=json, data=done)


async def _list(tenant: str, find: bool, state: _State) -> list[dict[str, Any]]:
    from rejoinder.monitoring.new_topics import find_topics, proposed_topics
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        found = await (find_topics(application, tenant) if find else proposed_topics(application, tenant, state=state))
    return [to_json(one) for one in found]


async def _accept(tenant: str, proposal: str, name: str | None, words: list[str], by: str) -> dict[str, Any]:
    from rejoinder.monitoring.new_topics import accept_topic
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        caller = Caller(id=by, role="admin")
        done: dict[str, Any] = to_json(
            await accept_topic(application, tenant, caller, proposal, name=name, words=words)
        )
    return done


async def _reject(tenant: str, proposal: str, by: str) -> dict[str, Any]:
    from rejoinder.monitoring.new_topics import reject_topic
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        done: dict[str, Any] = to_json(await reject_topic(application, tenant, Caller(id=by, role="admin"), proposal))
    return done

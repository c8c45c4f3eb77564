"""`rejoinder learning clusters`: what customers ask in vain, and what a person makes of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.review import opened_for
from rejoinder.cli.runtime import run
from rejoinder.payloads import Caller

__all__ = ["app"]

app = typer.Typer(help="Clusters of unanswered questions, proposed as new intents or answers.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]
_Cluster = Annotated[str, typer.Argument(help="The cluster's id.")]
_By = Annotated[str, typer.Option("--by", help="Who decides, as it is kept with what they say.")]
_State = Literal["open", "accepted", "rejected"]
_COLUMNS = ("id", "title", "label", "size", "keywords", "examples")


@app.command("list")
def list_clusters(
    tenant: _Tenant,
    find: Annotated[bool, typer.Option("--find", help="Look for clusters anew; else as they were found last.")] = False,
    state: Annotated[_State, typer.Option("--state", help="Which ones, without --find.")] = "open",
    json: JsonOption = False,
) -> None:
    """Show what is proposed, the largest first."""
    show_table(run(_list(tenant, find, state)), _COLUMNS, json=json, empty="(no clusters)")


@app.command("accept")
def accept(
    cluster: _Cluster,
    tenant: _Tenant,
    label: Annotated[
        str | None, typer.Option("--label", help="The intent; default, without an answer: the label proposed.")
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option("--answer", help="What to answer; without a label: to such questions, whatever they are."),
    ] = None,
    by: _By = "command line",
    json: JsonOption = False,
) -> None:
    """Learn a cluster's questions as an intent, with its answer, or as an answer alone; live at once."""
    done = run(_accept(tenant, cluster, label, answer, by))
    what = f"as {done['label']!r}" if done["label"] else "as an answer"
    where = f" The answer is the setting {done['answer_setting']}." if done["answer_setting"] else ""
    say(f"{cluster} was accepted {what}: {done['examples']} examples.{where}", json=json, data=done)


@app.command("reject")
def reject(cluster: _Cluster, tenant: _Tenant, by: _By = "command line", json: JsonOption = False) -> None:
    """Say that a cluster is nothing to answer: neither it nor what is like it is proposed again."""
    done = run(_reject(tenant, cluster, by))
    say(f"{cluster} ({done['title']}) was rejected.", json=json, data=done)


async def _list(tenant: str, find: bool, state: _State) -> list[dict[str, Any]]:
    from rejoinder.learning.clusters import find_clusters, proposals
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        found = await (find_clusters(application, tenant) if find else proposals(application, tenant, state=state))
    return [to_json(one) for one in found]


async def _accept(tenant: str, cluster: str, label: str | None, answer: str | None, by: str) -> dict[str, Any]:
    from rejoinder.learning.clusters import accept_cluster
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        caller = Caller(id=by, role="admin")
        done: dict[str, Any] = to_json(
            await accept_cluster(application, tenant, caller, cluster, label=label, answer=answer)
        )
    return done


async def _reject(tenant: str, cluster: str, by: str) -> dict[str, Any]:
    from rejoinder.learning.clusters import reject_cluster
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        done: dict[str, Any] = to_json(await reject_cluster(application, tenant, Caller(id=by, role="admin"), cluster))
    return done

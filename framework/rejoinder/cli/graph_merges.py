"""`rejoinder graph merges`: entities that may be the same, for a person to decide on."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.graph_tenant import Kinds, Tenant, entity_record, named_entity, opened
from rejoinder.cli.output import JsonOption, say, show_table

if TYPE_CHECKING:
    from rejoinder.graph.merging import AuditEntry

__all__ = ["merges"]

merges = typer.Typer(no_args_is_help=True, help="Entities that may be the same: list, accept, reject, undo.")

By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides so; default: the user of this machine.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


@merges.command("list")
def list_merges(
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most of them.")] = 20,
    kind: Kinds = None,
    json: JsonOption = False,
) -> None:
    """List pairs that may be the same, likeliest first; what was rejected is left out."""
    with opened(tenant, vectors="if there are any") as graph:
        found = graph.propose_merges(limit=limit, kinds=kind or ())
    if json:
        data: list[dict[str, Any]] = [
            {
                "keep": entity_record(one.keep),
                "drop": entity_record(one.drop),
                "score": one.score,
                "reason": one.reason,
                "how": one.how,
            }
            for one in found
        ]
        show_table(data, (), json=True)
        return
    rows = [
        {"keep": one.keep.id, "drop": one.drop.id, "score": round(one.score, 3), "reason": one.reason} for one in found
    ]
    show_table(rows, ("keep", "drop", "score", "reason"), json=False, empty="(no two seem to be the same)")


@merges.command()
def accept(
    keep: Annotated[str, typer.Argument(help="The entity that stays: id or name.", metavar="KEEP")],
    drop: Annotated[str, typer.Argument(help="The one that becomes a part of it: id or name.", metavar="DROP")],
    tenant: Tenant,
    reason: Reason = "accepted on the command line",
    by: By = None,
    json: JsonOption = False,
) -> None:
    """Make one entity of two: names become aliases, relations move; `undo` takes it back."""
    with opened(tenant) as graph:
        kept, dropped = named_entity(graph, keep), named_entity(graph, drop)
        entry = graph.merge(kept.id, dropped.id, by=by or getpass.getuser(), reason=reason)
    _say(
        f"{dropped.id!r} is now a part of {kept.id!r}. Undo: rejoinder graph merges undo {entry.id} --tenant {tenant}",
        entry,
        json,
    )


@merges.command()
def reject(
    first: Annotated[str, typer.Argument(help="An entity: id or name.", metavar="FIRST")],
    second: Annotated[str, typer.Argument(help="Another one.", metavar="SECOND")],
    tenant: Tenant,
    reason: Reason = "rejected on the command line",
    by: By = None,
    json: JsonOption = False,
) -> None:
    """Say that two entities are not the same: they are not proposed again."""
    with opened(tenant) as graph:
        one, other = named_entity(graph, first), named_entity(graph, second)
        entry = graph.reject_merge(one.id, other.id, by=by or getpass.getuser(), reason=reason)
    _say(f"{one.id!r} and {other.id!r} are not proposed again.", entry, json)


@merges.command()
def undo(
    entry: Annotated[str, typer.Argument(help="The merge's id in `merges audit`.", metavar="ENTRY")],
    tenant: Tenant,
    by: By = None,
    json: JsonOption = False,
) -> None:
    """Make two entities of one again."""
    with opened(tenant) as graph:
        done = graph.undo_merge(entry, by=by or getpass.getuser())
    _say(f"{done.keep!r} and {done.drop!r} are two again.", done, json)


@merges.command()
def audit(
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most of them.")] = 100,
    json: JsonOption = False,
) -> None:
    """List what was merged, rejected and undone, by whom and why, latest first."""
    with opened(tenant) as graph:
        found = [asdict(one) for one in graph.audit(limit=limit)]
    columns = ("time", "action", "keep", "drop", "by", "reason", "undone", "id")
    show_table(found, columns, json=json, empty="(nothing was decided yet)")


def _say(text: str, entry: AuditEntry, json: bool) -> None:
    say(text, json=json, data=asdict(entry))

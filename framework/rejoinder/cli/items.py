"""`rejoinder items`: what a tenant has to recommend."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import load_encoder, open_database, run
from rejoinder.errors import GraphError, ModelError, NotFoundError
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.items.loading import ItemResult
    from rejoinder.store.tables import Item

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="A tenant's catalogue: load items from files, list, encode and remove them."
)

Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]


@app.command()
def load(
    paths: Annotated[list[Path], typer.Argument(help="CSV or JSON lines (.jsonl); .gz is fine.", metavar="FILE")],
    tenant: Tenant,
    graph: Annotated[
        bool,
        typer.Option(
            "--graph", help="Make the tenant's knowledge graph where it has none; items are kept in it from then on."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read items and keep them, in place of older ones of their ids.

    CSV has the columns `id,title` and any of `text,tags,price,available,image,url,published` (tags parted by `|`); others become `data`.
    Rows that cannot be used are named with file, line and reason, and all others are kept; exits with 1 when there were any.
    """
    from rejoinder.items.files import read_item_file
    from rejoinder.items.loading import counts_of

    rows = [(path, line, value) for path in paths for line, value in read_item_file(path)]
    results = run(_load(tenant, [value for *_, value in rows]))
    counts = counts_of(results)
    bad = [
        {"file": str(path), "line": line, "id": one.id, "reason": one.reason}
        for (path, line, _), one in zip(rows, results, strict=True)
        if one.status == "refused"
    ]
    if json:
        show_record({**counts, "bad": bad}, json=True)
    else:
        say(f"{counts['new']} new items, {counts['changed']} changed, {counts['unchanged']} as they were.")
        for row in bad:
            typer.echo(f"{row['file']}, line {row['line']}: {row['reason']}", err=True)
    _mirror(tenant, make=graph)
    if bad:
        raise typer.Exit(1)


@app.command("list")
def list_(
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most items shown.")] = 100,
    after: Annotated[str, typer.Option("--after", help="Only ids after this one.", metavar="ID")] = "",
    json: JsonOption = False,
) -> None:
    """List items by id."""

    async def work() -> list[Item]:
        from rejoinder.store.items import list_items
        from rejoinder.store.tenants import get_tenant

        async with open_database(load_settings().settings) as database:
            await get_tenant(database, tenant)
            return await list_items(database, tenant, active=None, after=after, limit=limit)

    rows = [
        {
            "id": item.id,
            "title": item.title,
            "tags": " | ".join(item.data.get("tags", ())),
            "price": item.data.get("price"),
            "available": item.active,
        }
        for item in run(work())
    ]
    show_table(rows, ("id", "title", "tags", "price", "available"), json=json, empty="(no items)")


@app.command()
def remove(
    item_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids, as `items list` shows them.")],
    tenant: Tenant,
    json: JsonOption = False,
) -> None:
    """Remove items; what people did with them stays."""

    async def work() -> None:
        from rejoinder.store.items import delete_item, known_items

        async with open_database(load_settings().settings) as database:
            known = await known_items(database, tenant, item_ids)
            if missing := [one for one in item_ids if one not in known]:
                raise NotFoundError(f"tenant {tenant!r} has no item {missing[0]!r}: see rejoinder items list")
            for item_id in item_ids:
                await delete_item(database, tenant, item_id)

    run(work())
    _mirror(tenant)
    say(f"{len(item_ids)} items removed.", json=json, data={"removed": item_ids})


@app.command()
def encode(tenant: Tenant, json: JsonOption = False) -> None:
    """Make the vectors that items lack, as after another encoder was chosen, or a version of Rejoinder that reads more of an item."""

    async def work() -> int:
        from rejoinder.documents.encoding import PassageEncoder
        from rejoinder.items.loading import ItemLoading
        from rejoinder.store.tenants import get_tenant

        async with open_database(load_settings().settings) as database:
            await get_tenant(database, tenant)
            return await ItemLoading(database, tenant, PassageEncoder.of_encoder(load_encoder())).encode_missing()

    count = run(work())
    say(f"{count} items encoded.", json=json, data={"encoded": count})


async def _load(tenant: str, values: list[object]) -> list[ItemResult]:
    from rejoinder.documents.encoding import PassageEncoder
    from rejoinder.items.loading import ItemLoading
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        try:
            encoder = PassageEncoder.of_encoder(load_encoder())
        except ModelError as error:
            typer.echo(f"without an encoder items are not found by what they say: {error}", err=True)
            encoder = None
        return await ItemLoading(database, tenant, encoder).take(list(enumerate(values)))


def _mirror(tenant: str, *, make: bool = False) -> None:
    """Let the tenant's graph, where it has one, follow; what cannot be done now is done by the next process that serves."""
    if not make and not load_settings().settings.has_graph:
        return
    from rejoinder.cli.graph_tenant import opened
    from rejoinder.graph.graph import Graph
    from rejoinder.items.item_mirror import ItemMirror, Mirrored

    async def work(graph: Graph) -> Mirrored:
        async def ask(method: Any, /, *args: Any) -> Any:
            return await asyncio.to_thread(method, graph, *args)

        async with open_database(load_settings().settings) as database:
            return await ItemMirror(database).follow(tenant, ask)

    try:
        with opened(tenant, make=make) as graph:
            done = run(work(graph))
    except NotFoundError:  # this tenant has no graph
        return
    except GraphError as error:
        typer.echo(f"the graph follows later: {error}", err=True)
        return
    typer.echo(f"in the graph: {done.written} items written, {done.removed} removed", err=True)
    for item, reason in done.left_out.items():
        typer.echo(f"not in the graph: item {item}: {reason}", err=True)

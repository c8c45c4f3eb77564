"""`rejoinder documents`: the files that a tenant's answers are found in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.graph_tenant import bar
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import load_encoder, open_database, run
from rejoinder.errors import ConflictError, InvalidInputError, ModelError, NotFoundError
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.documents.encoding import PassageEncoder
    from rejoinder.documents.ingestion import Ingested
    from rejoinder.store.database import Database

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="A tenant's documents: add files, list, show and remove them.")

Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]
DocumentId = Annotated[str, typer.Argument(help="The document's id, as `documents list` shows it.", metavar="ID")]

_DEFAULT_SOURCE = "files"

_READING = "question_answering"
"""The task of the reader, which the plugin `documents` brings."""

_HOW_TO_TRAIN = """
Train one from questions whose answers are marked, some hundreds of them, with some that have no answer (`"answers": []`), a line each:
  {{"task": "question_answering", "text": "QUESTION", "other": "PASSAGE", "target": {{"answers": [{{"start": 4, "end": 9, "text": "a"}}]}}}}
  rejoinder learning import pairs.jsonl --tenant {tenant}
  rejoinder models adapt --tenant {tenant} --task question_answering     (while `rejoinder worker` or `rejoinder serve` runs)"""


@app.command()
def add(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Markdown, text, HTML, PDF, DOCX or CSV files; of folders, all in them.", metavar="PATH"),
    ],
    tenant: Tenant,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Who brings them.")] = _DEFAULT_SOURCE,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the source's documents that are not among these files any more.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read files and keep them, in place of older ones of their ids: a file's path below the folder, or its name.

    Files that cannot be read, or whose ids are another source's, are named with the reason, and all others are kept; exits with 1 when
    there were any. Where a path does not exist, or two files have one id, nothing is kept; where no file can be kept, nothing is pruned.
    """
    from rejoinder.documents.formats import ENDINGS

    endings = frozenset(ENDINGS)
    files = _by_id(_files(paths, endings))
    passed_over = _of_other_kinds(paths, endings)
    if not files:
        raise InvalidInputError(f"there is no file to read: give files or folders with {', '.join(ENDINGS)}")
    done, bad, removed = run(_add(tenant, files, source, prune=prune, shown=not json))
    if json:
        reasons = [{"file": str(path), "reason": reason} for path, reason in bad]
        show_record(
            {
                "added": [asdict(one) for one in done],
                "bad": reasons,
                "removed": removed,
                "passed_over": [str(one) for one in passed_over],
            },
            json=True,
        )
    else:
        changed = sum(one.changed for one in done)
        encoded = sum(one.encoded for one in done)
        say(
            f"{len(done)} documents read, {changed} new or changed, {len(removed)} removed; {encoded} passages encoded."
        )
        for path, reason in bad:
            typer.echo(f"{path}: {reason}", err=True)
        if passed_over:
            kinds = ", ".join(sorted({path.suffix.lower() or "no ending" for path in passed_over}))
            typer.echo(
                f"{len(passed_over)} files are of kinds that are not read ({kinds}) and were passed over.", err=True
            )
    if bad:
        raise typer.Exit(1)


@app.command("list")
def list_(
    tenant: Tenant,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME", help="Only of this source.")] = None,
    json: JsonOption = False,
) -> None:
    """List documents."""

    async def work() -> list[dict[str, Any]]:
        from rejoinder.store.documents import list_document_summaries

        async with _opened(tenant) as database:
            return [one._asdict() for one in await list_document_summaries(database, tenant, source=source)]

    show_table(
        run(work()), ("id", "title", "source", "passages", "encoded", "updated_at"), json=json, empty="(no documents)"
    )


@app.command()
def show(document_id: DocumentId, tenant: Tenant, json: JsonOption = False) -> None:
    """Show a document's text, passage by passage, as it is searched and cited."""

    async def work() -> dict[str, Any]:
        from rejoinder.store.documents import list_passages

        async with _opened(tenant) as database:
            found = await list_passages(database, tenant, [document_id])
            if not found:
                raise NotFoundError(f"tenant {tenant!r} has no document {document_id!r}: see rejoinder documents list")
            [(document, rows)] = found
            passages = [
                {
                    "start": row.start_char,
                    "end": row.end_char,
                    "headings": row.headings,
                    "kind": row.kind,
                    "text": document.text[row.start_char : row.end_char],
                }
                for row in rows
            ]
            return {
                "id": document.id,
                "title": document.title,
                "source": document.source,
                "url": document.url,
                "passages": passages,
            }

    record = run(work())
    if json:
        show_record(record, json=True)
        return
    say(f"{record['title']} ({record['id']}, from {record['source']})")
    for one in record["passages"]:
        say(f"\n[{one['start']}-{one['end']}] {' > '.join(one['headings'])}\n{one['text']}")


@app.command()
def remove(
    document_ids: Annotated[list[str], typer.Argument(help="Ids, as `documents list` shows them.", metavar="ID")],
    tenant: Tenant,
    json: JsonOption = False,
) -> None:
    """Remove documents: nothing of them is cited from then on."""

    async def work() -> None:
        from rejoinder.store.documents import delete_document

        async with _opened(tenant) as database, database.write() as session:  # all or none
            for one in document_ids:
                await delete_document(session, tenant, one)

    run(work())
    say(f"{len(document_ids)} documents removed.", json=json, data={"removed": document_ids})


@app.command()
def encode(tenant: Tenant, json: JsonOption = False) -> None:
    """Make the vectors that passages lack, as after another encoder was chosen."""

    async def work() -> int:
        from rejoinder.context import utc_now
        from rejoinder.documents.encoding import PassageEncoder
        from rejoinder.documents.ingestion import Ingestion

        async with _opened(tenant) as database:
            encoder = PassageEncoder.of_encoder(load_encoder())
            return await Ingestion(database, tenant, encoder, clock=utc_now).encode_missing()

    count = run(work())
    say(f"{count} passages encoded.", json=json, data={"encoded": count})


@app.command()
def reader(tenant: Tenant, json: JsonOption = False) -> None:
    """Tell whether passages are read for their answer, and how to train the reader that does; none ships.

    Without one, the sentences of the best passage that share most with the question are said.
    """

    async def work() -> tuple[str | None, int]:
        from rejoinder.store.examples import count_examples
        from rejoinder.store.models import live_version

        async with _opened(tenant) as database:
            live = await live_version(database, tenant, _READING)
            counts = await count_examples(database, tenant)
            return None if live is None else f"{live.task}-{live.number}", counts.get(_READING, 0)

    version, examples = run(work())
    serves = (
        f"The reader {version} serves"
        if version
        else "No reader serves: passages are answered by the sentences that fit"
    )
    words = f"{serves}; {examples} examples of the task {_READING} are stored."
    if version is None:
        words += _HOW_TO_TRAIN.format(tenant=tenant)
    say(words, json=json, data={"tenant": tenant, "reader": version, "examples": examples})


@asynccontextmanager
async def _opened(tenant: str) -> AsyncIterator[Database]:
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        yield database


def _files(paths: list[Path], endings: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """Yield ids and files; of a folder those that can be read, whatever a single file is.

    Raises:
        InvalidInputError: a path does not exist.
    """
    gone = [str(path) for path in paths if not path.exists()]
    if gone:
        raise InvalidInputError(f"there is no file or folder {', '.join(gone)}: nothing was changed")
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in endings)
            yield from ((one.relative_to(path).as_posix(), one) for one in inside)
        else:
            yield path.name, path


def _of_other_kinds(paths: list[Path], endings: frozenset[str]) -> list[Path]:
    """Return the files of folders that `_files` leaves out, but for hidden ones."""
    inside = [(path, one) for path in paths if path.is_dir() for one in path.rglob("*")]
    return [
        one
        for path, one in inside
        if one.is_file()
        and one.suffix.lower() not in endings
        and not any(part.startswith(".") for part in one.relative_to(path).parts)
    ]


def _by_id(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return files by their ids.

    Raises:
        InvalidInputError: two files have one id.
    """
    files: dict[str, Path] = {}
    for document_id, path in found:
        there = files.setdefault(document_id, path)
        if there.resolve() != path.resolve():
            raise InvalidInputError(
                f"{there} and {path} would both be the document {document_id!r}: give the folder that both are in, or rename one"
            )
    return files


async def _add(
    tenant: str, files: dict[str, Path], source: str, *, prune: bool, shown: bool
) -> tuple[list[Ingested], list[tuple[Path, str]], list[str]]:
    from rejoinder.context import utc_now
    from rejoinder.documents.formats import format_of
    from rejoinder.documents.ingestion import Ingestion
    from rejoinder.store.documents import delete_document, list_document_summaries

    done: list[Ingested] = []
    bad: list[tuple[Path, str]] = []
    removed: list[str] = []
    async with _opened(tenant) as database:
        ingestion = Ingestion(database, tenant, _encoder(), clock=utc_now)
        with bar("documents", shown=shown) as move:
            for number, (document_id, path) in enumerate(files.items()):
                move(number / len(files), path.name)
                try:
                    data = path.read_bytes()
                    done.append(await ingestion.put(document_id, data, format=format_of(path.name), source=source))
                except (ConflictError, InvalidInputError, OSError) as error:
                    bad.append((path, str(error)))
        if prune and done:
            for one in await list_document_summaries(database, tenant, source=source):
                if one.id not in files:
                    await delete_document(database, tenant, one.id)
                    removed.append(one.id)
    return done, bad, removed


def _encoder() -> PassageEncoder | None:
    from rejoinder.documents.encoding import PassageEncoder

    try:
        return PassageEncoder.of_encoder(load_encoder())
    except ModelError as error:
        typer.echo(f"rejoinder: passages are found by their words alone until `documents encode`: {error}", err=True)
        return None

"""`rejoinder monitor replay`: send dated documents through the path that serves, and see which alerts they raise."""

from __future__ import annotations

import asyncio
import json as json_module
import signal
import sys
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.moments import parse_moment
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder.monitoring.replay import Door, Replay
    from rejoinder.monitoring.replay_files import Dated

__all__ = ["replay"]

_INTERRUPTED = 130
_SHOWN = ("at", "severity", "key", "title", "part_of")
_MOST_BAD = 5


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV, TSV or JSON lines, also with .gz; of folders, all such files in them.", metavar="FILE"
        ),
    ],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose stream: best a tenant of its own.", metavar="ID")],
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed", help="How many times faster than they once arrived; default: as fast as they are taken."
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Only documents from this moment on.", metavar="TIME")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only documents before this moment.", metavar="TIME")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", help="A field whose column has another name, e.g. at=created_at.", metavar="FIELD=NAME"
        ),
    ] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="Of dates that name none.", metavar="ZONE")] = "UTC",
    url: Annotated[
        str | None,
        typer.Option("--url", help="A server that has workers, e.g. http://127.0.0.1:8080; default: in this process."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="With --url: an API key of the tenant's admins; asked for when left out."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Draw PNG pictures into this folder.", metavar="FOLDER")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write all that was found as JSON here.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send dated documents as if they arrived now, wait until they are read, and show the alerts that they raise.

    A table has the columns at and text, and any of id, source, url, format; JSON lines are events as the API takes them. The clock is
    that of the documents. What was sent before is a duplicate: a replay that was interrupted (Ctrl+C) goes on where it ended when it is
    done again. Exits with 1 when a document was refused or could not be read, with 130 when it was interrupted.
    """
    from rejoinder.cli.graph_tenant import bar
    from rejoinder.cli.runtime import run
    from rejoinder.monitoring.replay_files import read_dated

    if speed is not None and not speed > 0:
        raise InvalidInputError("--speed: a number above 0")
    documents, bad = read_dated(
        files,
        columns=_columns(column or ()),
        time_zone=time_zone,
        start=parse_moment(start, "--from"),
        end=parse_moment(end, "--to"),
    )
    if not documents:
        raise InvalidInputError(f"there is no document to replay{': ' + bad[0] if bad else ''}")
    with bar("Replay", shown=not json) as tell:
        found, stopped = run(_replay(_door(url, key, tenant), documents, speed, tell))
    told = _told(found, bad)
    drawn = []
    if pictures is not None:
        from rejoinder.monitoring.pictures import draw

        drawn = [str(path) for path in draw(found, pictures)]
    told["pictures"] = drawn
    if report is not None:
        _write(report, told)
    if json:
        say("", json=True, data=told)
    else:
        _show(found, bad, drawn)
    if stopped:
        typer.echo("Interrupted: do the same again to go on; what was sent already is a duplicate.", err=True)
        raise typer.Exit(_INTERRUPTED)
    if bad or found.counts["refused"]:
        raise typer.Exit(1)


async def _replay(
    door: AbstractAsyncContextManager[Door], documents: list[Dated], speed: float | None, tell: Any
) -> tuple[Replay, bool]:
    """Return what came of it, and whether it was interrupted; a second Ctrl+C ends it at once."""
    from rejoinder.monitoring import replay as replaying

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    async with door as opened:
        with suppress(NotImplementedError, RuntimeError):  # not on Windows, and only in the main thread
            loop.add_signal_handler(signal.SIGINT, interrupted)
        found = await replaying.replay(documents, opened, speed=speed, stop=stop, tell=tell)
    return found, stop.is_set()


def _door(url: str | None, key: str | None, tenant: str) -> AbstractAsyncContextManager[Door]:
    from rejoinder.cli.replay_doors import local, remote

    if url is None:
        if key is not None:
            raise InvalidInputError("--key goes with --url: without a server there is nothing to log in to")
        from rejoinder.settings import load_settings

        return local(load_settings(), tenant)
    if key is None:
        if not sys.stdin.isatty():
            raise InvalidInputError("--url needs --key when standard input is no terminal")
        key = typer.prompt("API key", hide_input=True)
    return remote(url, key, tenant)


def _told(found: Replay, bad: list[str]) -> dict[str, Any]:
    return {
        "documents": found.documents,
        "sent": found.sent,
        **{name: found.counts[name] for name in ("accepted", "duplicate", "folded", "refused")},
        "refused_because": found.reasons,
        "unreadable": bad,
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
        "seconds": round(found.seconds, 1),
        "alerts": found.alerts,
        "trends": found.trends,
    }


def _show(found: Replay, bad: list[str], drawn: list[str]) -> None:
    title = f"Alerts, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    show_table(found.alerts, _SHOWN, json=False, title=title, empty="No alerts.")
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items() if count) or "none"
    show_record(
        {"documents": f"{found.sent} of {found.documents} sent: {counts}", "seconds": round(found.seconds, 1)},
        json=False,
    )
    for path in drawn:
        say(f"written: {path}")
    for reason in found.reasons[:_MOST_BAD]:
        typer.echo(f"refused: {reason}", err=True)
    for reason in bad[:_MOST_BAD]:
        typer.echo(reason, err=True)
    if len(bad) > _MOST_BAD:
        typer.echo(f"{len(bad)} rows cannot be replayed; --json lists them", err=True)


def _write(path: Path, told: dict[str, Any]) -> None:
    try:
        path.write_text(json_module.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"--report: {path} cannot be written: {error.strerror or error}") from error


def _columns(pairs: Any) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        field, _, name = pair.partition("=")
        if not field.strip() or not name.strip():
            raise InvalidInputError(f"--column: expected FIELD=NAME, such as at=created_at, not {pair!r}")
        columns[name.strip()] = field.strip()
    return columns

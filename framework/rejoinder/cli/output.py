"""What commands print: a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from rejoinder.payloads import Json

__all__ = ["JsonOption", "plain", "say", "show_record", "show_table"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
"""The option that every command has: `def command(json: JsonOption = False)`."""


def say(text: str, *, json: bool = False, data: Json = None) -> None:
    """Print a sentence, or with `json` the data instead."""
    if json:
        _print_json(data)
    else:
        typer.echo(text)


def show_table(
    records: Sequence[Mapping[str, Json]], columns: Sequence[str], *, json: bool, title: str = "", empty: str = "(none)"
) -> None:
    """Print records as a table of these columns, or with `json` as a list of objects with all that they hold."""
    if json:
        _print_json(list(records))
        return
    if not records:
        typer.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for record in records:
        table.add_row(*(Text(plain(record.get(column))) for column in columns))
    console = Console(soft_wrap=False)
    if not console.is_terminal:  # in a pipe, a row is a line however long it is
        console = Console(width=100_000)
        table.expand = False
    console.print(table)


def show_record(record: Mapping[str, Json], *, json: bool) -> None:
    """Print one record as lines of name and value, or with `json` as an object."""
    if json:
        _print_json(dict(record))
        return
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {plain(value)}")


def plain(value: Json) -> str:
    """Return a value as a person reads it in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _print_json(data: Json) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_say_json))


def _say_json(value: Any) -> Json:
    return value.isoformat() if isinstance(value, datetime) else str(value)

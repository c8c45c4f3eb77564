"""`rejoinder test`: run a file of dialogues."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.output import JsonOption, say
from rejoinder.cli.runtime import run
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder.testing.dialogues import DialogueResult

__all__ = ["app"]

app = typer.Typer()


@app.command()
def run_dialogues(
    file: Annotated[Path, typer.Argument(help="The dialogues, in YAML; see docs/guide/flows.md.")],
    url: Annotated[
        str | None,
        typer.Option(help="A server that runs; default: the application in this process, over an empty store."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="With --url: an operator's key, or a tenant's own; asked for when left out."),
    ] = None,
    only: Annotated[str, typer.Option(help="Only dialogues whose names contain this.")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the dialogues that passed too.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit XML file as well.")] = None,
    json: JsonOption = False,
) -> None:
    """Say what a file of dialogues says, and tell where the bot says or does something else; exit with 1 then."""
    from rejoinder.testing.dialogues import as_json, as_junit, read_script, run_script, running_bot
    from rejoinder.testing.dialogues.report import coloured

    script = read_script(file)
    if url is not None and token is None:
        if not sys.stdin.isatty():
            raise InvalidInputError("--url needs --token when standard input is no terminal")
        token = typer.prompt("Token", hide_input=True, err=True)

    async def all_of_them() -> list[DialogueResult]:
        async with running_bot(script, url=url, key=token) as bot:
            return await run_script(script, bot, only=only)

    results = run(all_of_them())
    if not results:
        raise InvalidInputError(f"--only: no dialogue of {file} has {only!r} in its name")
    if junit is not None:
        junit.write_text(as_junit(results), encoding="utf-8")
    if json:
        say("", json=True, data=as_json(results))
    else:
        from rich.console import Console

        Console(soft_wrap=True, highlight=False).print(coloured(results, verbose=verbose), end="")
    if not all(one.passed for one in results):
        raise typer.Exit(1)

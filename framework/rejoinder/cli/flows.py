"""`rejoinder flows`: what flows there are, whether they can run, and what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.runtime import load_host, open_tenants, run
from rejoinder.errors import FlowError, InvalidInputError, NotFoundError, did_you_mean
from rejoinder.flows import Finding, FlowBook, check_flows, load_flows
from rejoinder.flows.loading import choose_flows, read_definitions
from rejoinder.flows.picture import SUFFIXES, draw_flow
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="Guided flows: list them, check them, draw one.", no_args_is_help=True)

_PLUGIN: Final = "flows"
"""The plugin whose settings name a tenant's flows."""

Files = Annotated[
    list[Path] | None, typer.Argument(help="Files or folders with flows; default: those of the installed domains.")
]


@app.command("list")
def list_flows(files: Files = None, json: JsonOption = False) -> None:
    """List flows with what begins them."""
    book, _ = _book(files)
    rows = [
        {
            "flow": name,
            "title": flow.title,
            "intents": ", ".join(flow.start.intents),
            "phrases": len(flow.start.phrases),
            "slots": len(flow.slots),
            "steps": len(flow.steps),
            "place": book.place(name),
        }
        for name, flow in sorted(book.flows.items())
    ]
    show_table(rows, ("flow", "title", "intents", "phrases", "slots", "steps"), json=json, empty="(no flows)")


@app.command("check")
def check(
    files: Files = None,
    tenant: Annotated[
        str | None, typer.Option(help="Look at what this tenant has by `flows.use` and `flows.definitions` instead.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Tell what is wrong with flows, with file and line; exit with 1 when something is."""
    if files and tenant is not None:
        raise InvalidInputError("name files or a tenant, not both")
    try:
        if tenant is not None:
            book, problems = run(_flows_of(tenant))
            found = [*(Finding("", *_split(problem)) for problem in problems), *check_flows(book)]
        else:
            book, intents = _book(files)
            found = check_flows(book, intents=intents)
    except FlowError as error:
        book, found = FlowBook(), [Finding("", *_split(problem)) for problem in error.problems]
    rows = [{"flow": one.flow or None, "place": one.place, "text": one.text} for one in found]
    if json:
        say("", json=True, data={"flows": sorted(book.flows), "problems": rows})
    else:
        for one in found:
            say(str(one))
        say(f"{len(book.flows)} flows, {len(found)} problems")
    if found:
        raise typer.Exit(1)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The flow.")],
    files: Files = None,
    out: Annotated[Path | None, typer.Option(help=f"Where the picture goes; {', '.join(SUFFIXES)}.")] = None,
    json: JsonOption = False,
) -> None:
    """Draw a flow as a picture."""
    book, _ = _book(files)
    if name not in book.flows:
        raise NotFoundError(f"there is no flow {name!r}.{did_you_mean(name, book.flows)}")
    file = out or Path(f"{name}.svg")
    draw_flow(book.flows[name], file)
    say(f"{file} shows the flow {name}", json=json, data={"flow": name, "file": str(file)})


def _book(files: list[Path] | None) -> tuple[FlowBook, set[str] | None]:
    """Return the flows that are meant, and the intents that may begin them."""
    domains = load_host(load_settings().settings, tolerant=True).domains
    intents = {intent for domain in domains for intent in domain.intents} or None
    for file in files or ():
        if not file.exists():
            raise InvalidInputError(f"there is no file or folder {str(file)!r}")
    return load_flows(files or [source for domain in domains for source in domain.flows]), intents


async def _flows_of(tenant: str) -> tuple[FlowBook, list[str]]:
    """Return a tenant's flows as the plugin `flows` takes them, and what is wrong with the names of those that it uses."""
    shipped, _ = _book(None)
    async with open_tenants() as tenants:
        settings: Any = (await tenants.resolved(tenant)).settings.get(_PLUGIN)
    if settings is None:
        raise NotFoundError(f"the plugin {_PLUGIN!r} is not loaded; `rejoinder plugins list` tells which are")
    return choose_flows(shipped, settings.use, read_definitions(settings.definitions))


def _split(problem: str) -> tuple[str, str]:
    place, _, text = problem.partition(": ")
    return place, text

"""`rejoinder`: the command line. Command modules are imported only when one of their commands runs, so that help is quick.

To add a command, add a line to `COMMANDS`. A command raises `RejoinderError`s and is not to catch them: the root prints them as
one line and exits with 1 (2: wrong usage). Every command takes `--json` and prints through `cli.output`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rejoinder.errors import RejoinderError

__all__ = ["COMMANDS", "LazyCommand", "app", "main"]


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command's Typer application is (`module:name`), and what help says of it."""

    target: str
    help: str

    def load(self, name: str) -> Any:
        """Import it and return it as a command of this name."""
        module, _, attribute = self.target.partition(":")
        return _ready(name, getattr(importlib.import_module(module), attribute))


def _make_plain(command: Any) -> None:
    """Let a command's help be plain text, as the root's is: importing rich would double the time that help takes."""
    command.rich_markup_mode = None
    for inner in getattr(command, "commands", {}).values():
        _make_plain(inner)


COMMANDS: dict[str, LazyCommand] = {
    "serve": LazyCommand("rejoinder.cli.serve:app", "Serve the API."),
    "worker": LazyCommand("rejoinder.cli.worker:app", "A worker: adapts models in the background."),
    "chat": LazyCommand("rejoinder.cli.chat:app", "Talk to a bot in the terminal."),
    "agent": LazyCommand("rejoinder.cli.agent:app", "Answer customers in the bot's place, in the terminal."),
    "reports": LazyCommand("rejoinder.cli.reports:app", "What a tenant's bot achieved: tables, CSV, pictures."),
    "monitor": LazyCommand("rejoinder.cli.monitor:app", "What is spoken of, and alerts; replay and sources."),
    "plugins": LazyCommand("rejoinder.cli.plugins:app", "Plugins: list them, check one, start a new one."),
    "tenant": LazyCommand("rejoinder.cli.tenant:app", "Tenants: create, list, change, disable."),
    "key": LazyCommand("rejoinder.cli.key:app", "API keys: create, list, revoke."),
    "settings": LazyCommand("rejoinder.cli.settings:app", "Settings: show, check, explain where each value came from."),
    "models": LazyCommand("rejoinder.cli.models:app", "Model versions of a tenant: list, show, adapt, runs."),
    "learning": LazyCommand("rejoinder.cli.learning:app", "Learning: how well models serve, and what was decided."),
    "privacy": LazyCommand("rejoinder.cli.privacy:app", "Privacy: erase users, give them their data, delete the old."),
    "documents": LazyCommand(
        "rejoinder.cli.documents:app", "A tenant's documents: add files, list, show, remove them."
    ),
    "items": LazyCommand("rejoinder.cli.items:app", "A tenant's catalogue: load items, list and remove them."),
    "graph": LazyCommand("rejoinder.cli.graph:app", "A tenant's knowledge graph: load it, ask it, look at it."),
    "train": LazyCommand("rejoinder.cli.train:app", "Train a model of one task from a file of examples."),
    "evaluate": LazyCommand("rejoinder.cli.evaluate:app", "Figures on a data set, the same for everyone."),
    "flows": LazyCommand("rejoinder.cli.flows:app", "Guided flows: list them, check them, draw one."),
    "test": LazyCommand("rejoinder.cli.test_dialogues:app", "Run a file of dialogues, and tell where the bot differs."),
    "simulate": LazyCommand("rejoinder.cli.simulate:app", "Replay users with feedback; the learning curve."),
}
"""All commands, in the order of the help page."""


def plugin_commands(group: str = "") -> Mapping[str, Any]:
    """Return the commands that plugins bring (`register_commands`), by name: those below `rejoinder`, or those of one of its groups.

    A command `evaluate surge` is the group `evaluate`'s. Asked for names that are not built in.
    """
    from rejoinder.cli.runtime import load_host
    from rejoinder.settings import load_settings

    host = load_host(load_settings().settings, tolerant=True)
    brought = [(*command.name.rpartition(" ")[::2], command.app) for _, command in host.registered("register_commands")]
    return {
        name: _ready(name, app) for parent, name, app in brought if parent == group and (group or name not in COMMANDS)
    }


def _ready(name: str, application: Any) -> Any:
    """Turn a Typer application into a command of this name."""
    command = typer.main.get_command(application)
    command.name = name
    completion = ("install_completion", "show_completion")  # the root's affair
    command.params = [one for one in command.params if one.name not in completion]
    _make_plain(command)
    return command


class _Root(TyperGroup):
    """Lists all commands without importing them, and imports the one that runs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, command in COMMANDS.items():
            self.commands[name] = TyperCommand(name=name, help=command.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that runs, and import it."""
        if args[0] in COMMANDS:
            return args[0], COMMANDS[args[0]].load(args[0]), args[1:]
        if not args[0].startswith("-"):
            self.commands.update(plugin_commands())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands for help, those of plugins too, where these can be loaded."""
        try:
            self.commands.update(plugin_commands())
        except RejoinderError as error:
            typer.echo(f"rejoinder: commands of plugins are not listed: {error}", err=True)
        super().format_commands(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run, and tell errors in one line."""
        try:
            return super().invoke(ctx)
        except RejoinderError as error:
            if ctx.params.get("debug"):
                raise
            text = "; ".join(line for line in str(error).splitlines() if line.strip())
            typer.echo(f"rejoinder: {text}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Root,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Rejoinder: chatbots that learn, at once and safely, from the people who talk to them.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rejoinder import __version__

        typer.echo(f"rejoinder {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Rejoinder: chatbots that learn, at once and safely, from the people who talk to them."""


def main() -> None:
    """Run the command line; the entry point of `rejoinder`."""
    app(prog_name="rejoinder")

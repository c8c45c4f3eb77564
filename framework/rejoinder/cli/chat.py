"""`rejoinder chat`: talk to a bot in the terminal, in this process or at a server."""

from __future__ import annotations

import asyncio
import getpass
import json as json_module
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.output import JsonOption
from rejoinder.cli.typed_lines import read_line
from rejoinder.errors import InvalidInputError, RejoinderError

if TYPE_CHECKING:
    from rich.console import Console

    from rejoinder.cli.talkers import Talker

__all__ = ["app"]

app = typer.Typer(help="Talk to a bot in the terminal.")

_NEWS_S = 1.0
"""Seconds after which a conversation that a person has is looked at again."""

HELP = """Say something, or:
  /good            that was right
  /bad             that was wrong
  /intent NAME     what you meant was NAME
  /answer TEXT     the right answer was TEXT
  /why             what each plugin did in the last turn
  /help            this
  /quit            end (so does Ctrl+D)
A number chooses one of the options that the bot offered."""


@app.command()
def chat(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose bot.", metavar="ID")],
    user: Annotated[
        str | None, typer.Option("--user", help="Who you are to the bot; default: your login name.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A server, e.g. http://127.0.0.1:8080; default: in this process.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", help="API key or user's token for the server; asked for when left out.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The settings file, without --url.")] = None,
    json: JsonOption = False,
) -> None:
    """Talk to a bot. Lines are read from the keyboard or, in a pipe, from standard input."""
    from rich.console import Console

    if token is not None and url is None:
        raise InvalidInputError("--token goes with --url: without a server there is nothing to log in to")
    if url is not None and token is None:
        if not sys.stdin.isatty():
            raise InvalidInputError("--url needs --token when standard input is no terminal")
        token = typer.prompt("API key or token", hide_input=True)
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())

    async def work() -> None:
        async with _talker(tenant, user, url, token, config) as talker:
            await _Chat(talker, console, json=json).run()

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        console.print()


@asynccontextmanager
async def _talker(
    tenant: str, user: str | None, url: str | None, token: str | None, config: Path | None
) -> AsyncIterator[Talker]:
    if url is not None:
        from rejoinder.cli.talkers import remote

        async with remote(url, token or "", tenant=tenant, user=user) as talker:
            yield talker
    else:
        from rejoinder.cli.talkers import local
        from rejoinder.settings import load_settings

        async with local(load_settings(config), tenant, user or _login_name()) as talker:
            yield talker


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user table
        return "user"


class _Chat:
    def __init__(self, talker: Talker, console: Console, *, json: bool) -> None:
        self._talker = talker
        self._console = console
        self._json = json
        self._turn: dict[str, Any] | None = None
        self._number = 0
        self._asks = sys.stdin.isatty() and not json

    async def run(self) -> None:
        """Talk until the end of input."""
        if self._asks:
            self._say("Say something; /help lists what else there is.", style="dim")
        while (line := await self._next_line()) is not None:
            line = line.strip()
            if not line:
                continue
            if line in ("/quit", "/exit"):
                return
            try:
                await self._do(line)
            except RejoinderError as error:
                self._tell({"error": str(error)}, f"! {error}", style="red")

    async def _next_line(self) -> str | None:
        """Return what is said next; while a person answers, show what they say meanwhile."""
        reading = asyncio.ensure_future(asyncio.to_thread(read_line, "you  ", typed=self._asks))
        while self._turn is not None and self._turn["mode"] != "bot":
            if (await asyncio.wait((reading,), timeout=_NEWS_S))[0]:
                break
            await self._show_news()
        return await reading

    async def _do(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        match word:
            case "/help":
                self._say(HELP)
            case "/good" | "/bad":
                await self._feedback("thumbs", 1 if word == "/good" else -1)
            case "/intent" | "/answer":
                if not rest:
                    raise InvalidInputError(f"{word} needs {'a name' if word == '/intent' else 'a text'}: {word} ...")
                await self._feedback("corrected_intent" if word == "/intent" else "corrected_answer", rest)
            case "/why":
                await self._why()
            case _ if word.startswith("/"):
                raise InvalidInputError(f"there is no command {word}; /help lists them")
            case _:
                await self._message(self._chosen(line))

    async def _message(self, text: str) -> None:
        turn = await self._talker.say(text)
        if turn["number"] > self._number + 1:  # others said something meanwhile
            await self._show_news(before=turn["number"])
        self._turn, self._number = turn, turn["number"]
        if self._json:
            self._tell(turn, "")
            return
        reply = turn["reply"]
        self._say_parts(turn)
        if not reply["parts"]:
            self._say(f"     ({_silence(turn)})", style="dim")
        for card in reply["cards"]:
            self._say(f"     [{card['title']}] {card['text']}")
        for number, option in enumerate(reply["options"], start=1):
            self._say(f"     {number}) {option['title']}")
        for citation in reply["citations"]:
            self._say(f"     source: {citation['title'] or citation['source']}", style="dim")
        if turn["answered"] and turn["label"] is not None:
            sure = "" if turn["confidence"] is None else f", {turn['confidence']:.0%} sure"
            self._say(f"     ({turn['label']}{sure})", style="dim")

    async def _show_news(self, *, before: int | None = None) -> None:
        """Show what was said since the last turn that was shown, by others than the user."""
        for turn in await self._talker.news(self._number):
            if before is not None and turn["number"] >= before:
                return
            self._number = turn["number"]
            if self._json:
                self._tell(turn, "")
            elif turn["reply"] is not None:
                self._say_parts(turn)

    def _say_parts(self, turn: dict[str, Any]) -> None:
        for part in turn["reply"]["parts"]:
            self._say(f"{turn['author'] or turn['speaker']:<4} {part}", style="bold")

    async def _feedback(self, kind: str, value: int | str) -> None:
        decision_id = self._last()["decision_id"]
        if decision_id is None:
            raise InvalidInputError("the last turn was not decided by the bot: there is nothing to rate")
        result = await self._talker.feedback(decision_id, kind, value)
        learned = "learned" if result["learned"] else "noted"
        self._tell(
            result,
            f"     {learned}: {result['examples']} example{'' if result['examples'] == 1 else 's'}. {result.get('note', '')}".rstrip(
                " ."
            ),
            style="green",
        )

    async def _why(self) -> None:
        trace = await self._talker.why(self._last())
        if self._json:
            self._tell({"trace": trace}, "")
            return
        for call in trace:
            detail = f"  {call['detail']}" if call["detail"] else ""
            self._say(
                f"     {call['at_ms']:8.2f} ms  {call['hook']}  {call['plugin']}  {call['outcome']}{detail}",
                style="dim",
            )
        if not trace:
            self._say("     (no plugin was called)", style="dim")

    def _last(self) -> dict[str, Any]:
        if self._turn is None:
            raise InvalidInputError("say something first")
        return self._turn

    def _chosen(self, line: str) -> str:
        options = [] if self._turn is None else self._turn["reply"]["options"]
        if line.isdecimal() and 1 <= int(line) <= len(options):
            title: str = options[int(line) - 1]["title"]
            return title
        return line

    def _tell(self, data: dict[str, Any], text: str, *, style: str = "") -> None:
        if self._json:
            typer.echo(json_module.dumps(data, ensure_ascii=False))
        else:
            self._say(text, style=style)

    def _say(self, text: str, *, style: str = "") -> None:
        # What a bot says is text: neither rich's markup nor the terminal's control codes.
        clean = "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)
        self._console.print(clean, style=style, markup=False, emoji=False)


def _silence(turn: dict[str, Any]) -> str:
    """Say why a turn has no reply."""
    if turn["mode"] == "bot":
        return "no answer"
    place = turn["place"]
    if place is None:
        return "a person will answer"
    wait = "" if place["wait_s"] is None else f", about {max(1, round(place['wait_s'] / 60))} min"
    return f"a person will answer: you are number {place['position']} in the queue{wait}"

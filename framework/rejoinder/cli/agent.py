"""`rejoinder agent`: an agent's console in the terminal, at a server."""

from __future__ import annotations

import asyncio
import json as json_module
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rejoinder.cli.output import JsonOption
from rejoinder.cli.typed_lines import read_line
from rejoinder.errors import AccessError, InvalidInputError, RejoinderError, StoreUnavailableError

if TYPE_CHECKING:
    from rich.console import Console
    from websockets.asyncio.client import ClientConnection

__all__ = ["app"]

app = typer.Typer(help="Answer customers in the bot's place, in the terminal.")

HELP = """Say something to the customer, or:
  /queue            who waits, and who is answered by whom
  /take [N]         take the N-th of the queue, or the first
  /show [N]         what is known of the N-th, or of the one that you have
  /suggest          what the bot would answer; /send sends it as it is
  /send [TEXT]      send the suggestion, or TEXT as an edit of it: the bot learns
  /teach TEXT       answer, and let the bot answer so from now on
  /private TEXT     answer, and let the bot never learn it
  /note TEXT        note something for other agents
  /transfer [ID]    back into the queue, for everybody or for one agent
  /release          give the conversation back to the bot
  /close [LABEL]    the matter is resolved; what was it about?
  /away, /here      whether you take conversations
  /help, /quit      this; end (so does Ctrl+D)"""

_WITH_TEXT: Final = ("/teach", "/private", "/note")


@app.command()
def agent(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose customers.", metavar="ID")],
    url: Annotated[str, typer.Option("--url", help="The server.")] = "http://127.0.0.1:8080",
    token: Annotated[
        str | None, typer.Option("--token", help="API key or token of an agent; asked for when left out.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Answer customers: the queue and your conversations as they change. Lines are read from the keyboard or, in a pipe, from standard
    input; with --json every frame of the server is a line."""
    from rich.console import Console

    if token is None:
        if not sys.stdin.isatty():
            raise InvalidInputError("--token is needed when standard input is no terminal")
        token = typer.prompt("API key or token", hide_input=True)
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        asyncio.run(_work(url, token, tenant, console, json=json))
    except KeyboardInterrupt:
        console.print()


async def _work(url: str, token: str, tenant: str, console: Console, *, json: bool) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

    if not url.startswith(("http://", "https://")):
        raise InvalidInputError(f"--url: expected http://... or https://..., not {url!r}")
    address = f"ws{url.removeprefix('http').rstrip('/')}/v1/hand-offs/socket"
    headers = {"authorization": f"Bearer {token}", "rejoinder-tenant": tenant}
    try:
        async with connect(address, additional_headers=headers, max_size=None) as socket:
            await _Desk(socket, console, json=json).run()
    except ConnectionClosed as closed:
        reason = closed.rcvd.reason if closed.rcvd is not None else ""
        raise StoreUnavailableError(f"{url} ended the connection: {reason or closed}") from closed
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        raise StoreUnavailableError(f"{url} cannot be reached: {error}; is `rejoinder serve` running?") from error


class _Desk:
    def __init__(self, socket: ClientConnection, console: Console, *, json: bool) -> None:
        self._socket = socket
        self._console = console
        self._json = json
        self._me: dict[str, Any] = {}
        self._queue: list[dict[str, Any]] = []
        self._current: str | None = None
        self._suggestion: dict[str, Any] | None = None
        self._ready = asyncio.Event()
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Work until the end of input, or until the server ends."""
        hearing = asyncio.ensure_future(self._hear())
        asking = asyncio.ensure_future(self._ask())
        try:
            await asyncio.wait((hearing, asking), return_when=asyncio.FIRST_COMPLETED)
            for task in (hearing, asking):
                if task.done():
                    task.result()
        finally:
            for task in (hearing, asking):
                task.cancel()
            await asyncio.gather(hearing, asking, return_exceptions=True)

    # --- what the server says --------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        async for text in self._socket:
            frame = json_module.loads(text)
            if self._json:
                typer.echo(json_module.dumps(frame, ensure_ascii=False))
            match frame["type"]:
                case "ready":
                    self._me = frame["agent"]
                    self._say(f"You are {self._me['name'] or self._me['id']}; /help lists what there is.", style="dim")
                case "queue":
                    self._show_queue(frame["hand_offs"])
                    self._ready.set()
                case "turn":
                    self._show_turn(frame)
                case "done":
                    self._show_done(frame)
                    self._answered.set()
                case "problem":
                    self._refuse_entry(frame["problem"])
                    self._say(f"! {frame['problem']['detail']}", style="red")
                    self._answered.set()

    def _refuse_entry(self, problem: dict[str, Any]) -> None:
        if not self._me:  # nobody was let in
            raise (AccessError if problem["status"] in (401, 403) else RejoinderError)(problem["detail"])

    def _show_queue(self, queue: list[dict[str, Any]]) -> None:
        known = {one["id"] for one in self._queue}
        self._queue = queue
        mine = [one["id"] for one in queue if one["agent_id"] == self._me["id"]]
        if self._current not in mine:
            if self._current is not None:
                self._say("(you do not have this conversation any more)", style="dim")
            self._current = mine[0] if mine else None
        for one in queue:
            if one["status"] == "queued" and one["id"] not in known:
                self._say(f"+ {one['user_id']} waits: {one['reason'] or one['id']}", style="yellow")

    def _show_turn(self, frame: dict[str, Any]) -> None:
        turn = frame["turn"]
        user = next((one["user_id"] for one in self._queue if one["id"] == frame["id"]), "customer")
        if turn["text"]:
            self._say(f"{user:<10} {turn['text']}", style="bold")
        for part in (turn["reply"] or {}).get("parts", ()):
            self._say(f"{turn['author'] or turn['speaker']:<10} {part}", style="" if turn["author"] else "dim")

    def _show_done(self, frame: dict[str, Any]) -> None:
        result = frame["result"]
        match frame["of"]:
            case "claim":
                self._current = frame["id"]
                self._suggestion = None
                self._say(result["summary"], style="cyan")
            case "suggest":
                self._suggestion = result
                text = result and result["text"]
                self._say(f"the bot would say: {text}" if text else "the bot has no answer", style="green")
            case "message":
                self._suggestion = None
            case "presence":
                self._say("You are there." if result["there"] else "You are away.", style="dim")
            case kind:
                self._say(f"({kind}: done)", style="dim")

    # --- what the agent says ---------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        await self._ready.wait()
        typed = sys.stdin.isatty() and not self._json
        while (line := await asyncio.to_thread(read_line, typed=typed)) is not None:
            line = line.strip()
            if not line:
                continue
            if line in ("/quit", "/exit"):
                return
            try:
                await self._do(line)
            except RejoinderError as error:
                self._say(f"! {error}", style="red")

    async def _do(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word in _WITH_TEXT and not rest:
            raise InvalidInputError(f"{word} needs a text: {word} ...")
        match word:
            case "/help":
                self._say(HELP)
            case "/queue":
                self._list_queue()
            case "/take":
                waiting = [one for one in self._queue if one["status"] == "queued"]
                await self._send("claim", id=self._of(waiting, rest)["id"])
            case "/show":
                self._say(self._of(self._queue, rest)["summary"] if rest else self._mine()["summary"], style="cyan")
            case "/suggest":
                await self._send("suggest", id=self._mine()["id"])
            case "/send":
                await self._send_suggestion(rest)
            case "/teach" | "/private":
                await self._send("message", id=self._mine()["id"], text=rest, teach=word == "/teach")
            case "/note":
                await self._send("note", id=self._mine()["id"], text=rest)
            case "/transfer":
                await self._send("transfer", id=self._mine()["id"], **({"to": rest} if rest else {}))
            case "/release":
                await self._send("release", id=self._mine()["id"])
            case "/close":
                await self._send("close", id=self._mine()["id"], **({"label": rest} if rest else {}))
            case "/away" | "/here":
                await self._send("presence", state="away" if word == "/away" else "online")
            case _ if word.startswith("/"):
                raise InvalidInputError(f"there is no command {word}; /help lists them")
            case _:
                await self._send("message", id=self._mine()["id"], text=line)

    async def _send_suggestion(self, edited: str) -> None:
        if self._suggestion is None or not (edited or self._suggestion["text"]):
            raise InvalidInputError("there is no suggestion: ask for one with /suggest")
        text = edited or self._suggestion["text"]
        await self._send("message", id=self._mine()["id"], text=text, suggestion=self._suggestion["decision_id"])

    async def _send(self, kind: str, **values: Any) -> None:
        """Send a frame, and wait until it was answered: in a pipe, the next line may need what came of it."""
        self._answered.clear()
        await self._socket.send(json_module.dumps({"type": kind, **values}))
        await self._answered.wait()

    def _mine(self) -> dict[str, Any]:
        found = next((one for one in self._queue if one["id"] == self._current), None)
        if found is None:
            if self._current is not None:  # taken a moment ago: the queue is shown next
                return {"id": self._current, "summary": ""}
            raise InvalidInputError("you have no conversation: take one with /take")
        return found

    def _of(self, rows: list[dict[str, Any]], number: str) -> dict[str, Any]:
        if not rows:
            raise InvalidInputError("nobody waits")
        if number and not (number.isdecimal() and 1 <= int(number) <= len(rows)):
            raise InvalidInputError(f"there is no number {number}: there are 1 to {len(rows)}")
        return rows[int(number or 1) - 1]

    def _list_queue(self) -> None:
        if not self._queue:
            self._say("Nobody waits.", style="dim")
        for number, one in enumerate(self._queue, start=1):
            who = "waits" if one["status"] == "queued" else f"is answered by {one['agent_name'] or one['agent_id']}"
            self._say(f"{number:>3}) {one['user_id']} {who}: {one['reason']}")

    def _say(self, text: str, *, style: str = "") -> None:
        if self._json:
            return
        # What people say is text: neither rich's markup nor the terminal's control codes.
        clean = "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)
        self._console.print(clean, style=style, markup=False, emoji=False)

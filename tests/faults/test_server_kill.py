"""kill -9 of the server under load: nothing acknowledged is lost, nothing counts twice, and the next one goes on without repair."""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.processes import kill, start_server
from tests.services.common import free_port
from tests.services.server import PATIENT_HOOKS, rejoinder

ROUNDS = 10
USERS = 6
SEED = 7
START_S = 12.0
PATIENCE_S = 120.0

SETTINGS = """
data_dir = "data"

[store]
synchronous = "FULL"

[server]
user_requests_per_minute = 0
turn_deadline_s = 60.0

# All that is taught here is wrong, so that only the teaching explains it, and nobody would be trusted for long.
[learning]
user_trust = false
feedback_per_minute = 0
feedback_per_hour = 0
feedback_per_day = 0
"""

TENANT = {
    "id": "acme",
    "settings": {
        "customer_service": {"catalogue": "bitext", "examples_per_intent": 2},
        "dialogue": {"clarify_margin": 0.0, "min_in_scope": 0.0, "min_score": 0.0},
    },
}

ASKS_FOR_A_PERSON = ("complaint", "contact_customer_service", "contact_human_agent")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be repeated: with its key it counts once."""

    path: str
    key: str
    body: Mapping[str, Any]
    question: Question


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, and what it is said to be about: never what it really is about, so that only a correction explains it."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A request and what the server answered to it."""

    request: Request
    answer: Mapping[str, Any]


@dataclass
class User:
    """One who talks, corrects, and writes down all that was acknowledged."""

    name: str
    headers: Mapping[str, str]
    questions: Iterator[Question]
    random: random.Random
    conversation: str = ""
    said: list[Acknowledged] = field(default_factory=list)
    taught: list[Acknowledged] = field(default_factory=list)
    unanswered: Request | None = None

    async def send(self, client: httpx.AsyncClient, request: Request) -> Mapping[str, Any]:
        """Send a request and write down its answer; one that gets none stays in `unanswered`."""
        self.unanswered = request
        answer = await post(client, request.path, self.headers, request.body, key=request.key)
        self.unanswered = None
        (self.taught if request.path == "/v1/feedback" else self.said).append(Acknowledged(request, answer))
        return answer

    async def talk(self, client: httpx.AsyncClient) -> None:
        """Ask and correct until the server is gone."""
        try:
            while True:
                await self.ask(client, next(self.questions))
        except httpx.TransportError:
            return

    async def ask(self, client: httpx.AsyncClient, question: Question) -> None:
        """Ask one question, and correct the answer or not."""
        number = len(self.said)
        path = f"{self.conversation}/messages"
        turn = await self.send(client, Request(path, f"say-{number}", {"text": question.text}, question))
        if self.random.random() < 0.3:
            return
        kind = self.random.choice(("corrected_intent", "corrected_answer"))
        value = question.label if kind == "corrected_intent" else f"{self.name} says: {question.text}"
        body = {"decision_id": turn["decision_id"], "kind": kind, "value": value}
        result = await self.send(client, Request("/v1/feedback", f"teach-{number}", body, question))
        assert result["learned"] or result["repeated"], result

    async def finish(self, client: httpx.AsyncClient) -> None:
        """Repeat the request that the crash left without an answer: whether it was stored or not, it now is, once."""
        if self.unanswered is not None:
            await self.send(client, self.unanswered)

    async def begin(self, client: httpx.AsyncClient) -> str:
        """Begin a conversation and return its path."""
        return f"/v1/conversations/{(await post(client, '/v1/conversations', self.headers, {}))['id']}"

    async def check_conversation(self, client: httpx.AsyncClient) -> None:
        """Find every acknowledged turn as it was acknowledged, and the numbers without a gap."""
        turns: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = await get(client, f"{self.conversation}/turns?limit=200&after={after}", self.headers)
            turns += page["turns"]
            after = page["next"]
        assert [turn["number"] for turn in turns] == list(range(1, len(turns) + 1))
        assert (await get(client, self.conversation, self.headers))["turns"] == len(turns)
        assert len(turns) == len(self.said), "each message became one turn, those too that had to be repeated"
        found = {turn["id"]: turn for turn in turns}
        for one in self.said:
            stored = found[one.answer["id"]]
            assert stored["text"] == one.answer["text"] == one.request.body["text"]
            assert (stored["number"], stored["reply"]) == (one.answer["number"], one.answer["reply"])

    async def check_repeats(self, client: httpx.AsyncClient, chosen: list[Acknowledged]) -> None:
        """Send acknowledged requests again: they get their answers again, and change nothing."""
        for one in chosen:
            again = await post(client, one.request.path, self.headers, one.request.body, key=one.request.key)
            assert again["id"] == one.answer["id"]
            if one.request.path == "/v1/feedback":
                assert again["repeated"]
            else:
                same = ("number", "reply", "decision_id", "label", "action")
                assert {name: again[name] for name in same} == {name: one.answer[name] for name in same}

    async def check_learned(self, client: httpx.AsyncClient, chosen: list[Acknowledged]) -> None:
        """Ask corrected questions again: the corrections count."""
        aside = await self.begin(client)
        for one in chosen:
            turn = await post(client, f"{aside}/messages", self.headers, {"text": one.request.question.text})
            value = one.request.body["value"]
            reply = turn["reply"]["parts"][0]
            if one.request.body["kind"] == "corrected_intent" and turn["label"] is None:
                assert " says: " in reply, "what was taught as the answer to a like question, and is of no intent"
                continue
            got = turn["label"] if one.request.body["kind"] == "corrected_intent" else reply
            assert got == value, f"{one.request.question.text!r} was corrected to {value!r}, but got {got!r}"


async def post(
    client: httpx.AsyncClient, path: str, headers: Mapping[str, str], body: Mapping[str, Any], *, key: str | None = None
) -> dict[str, Any]:
    """Post JSON; fail when the server answers with an error."""
    keyed = headers if key is None else {**headers, "idempotency-key": key}
    response = await client.post(path, headers=keyed, json=body)
    assert response.is_success, f"POST {path}: {response.status_code} {response.text}"
    found: dict[str, Any] = response.json()
    return found


async def get(client: httpx.AsyncClient, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Get JSON; fail when the server answers with an error."""
    response = await client.get(path, headers=headers)
    assert response.is_success, f"GET {path}: {response.status_code} {response.text}"
    found: dict[str, Any] = response.json()
    return found


def questions_of(user: int) -> Iterator[Question]:
    """Give a user's own questions: no text twice, and those that say the same are said to be about the same."""
    with (resources.files("rejoinder_customer_service") / "data/bitext/train.csv").open(encoding="utf-8") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    labels = sorted({label for _, label in rows if label not in ASKS_FOR_A_PERSON})
    wrong = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    # Without digits, since numbers may be redacted and two texts then be one.
    chosen = [row for row in rows if row[1] in wrong and not any(sign.isdigit() for sign in row[0])]
    texts = {" ".join(text.casefold().split()): Question(text, wrong[label]) for text, label in chosen}
    own = list(texts.values())[user::USERS]
    random.Random(f"{SEED} {user}").shuffle(own)
    return iter(own)


@dataclass
class Deployment:
    """A folder with a server that is started, killed and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    starts_s: list[float] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "rejoinder.db"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")

    def spawn(self) -> ForkServerProcess:
        """Start the server."""
        return start_server(self.folder, self.port)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[ForkServerProcess, httpx.AsyncClient]]:
        """Start the server, wait until it can work, and kill it at the end."""
        began = time.perf_counter()
        process = self.spawn()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S) as client:
                while not await is_ready(client):
                    assert process.is_alive(), f"the server did not start:\n{self.log[-4000:]}"
                    await asyncio.sleep(0.05)
                self.starts_s.append(time.perf_counter() - began)
                yield process, client
        finally:
            kill(process)

    def check_file(self) -> None:
        """Look at the store's file as it is, beside the server, and mend nothing."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        finally:
            connection.close()


async def is_ready(client: httpx.AsyncClient) -> bool:
    """Say whether the server can work."""
    try:
        return (await client.get("/v1/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def settle(client: httpx.AsyncClient, operator: Mapping[str, str]) -> list[User]:
    """Add the tenant and its users."""
    await post(client, "/v1/tenants", operator, TENANT)
    made = await post(client, "/v1/keys", {**operator, "rejoinder-tenant": "acme"}, {"role": "customer"})
    backend = {"authorization": f"Bearer {made['key']}"}
    users = []
    for number in range(USERS):
        token = (await post(client, "/v1/tokens", backend, {"user_id": f"user-{number}"}))["token"]
        headers = {"authorization": f"Bearer {token}"}
        user = User(f"user-{number}", headers, questions_of(number), random.Random(f"{SEED} talk {number}"))
        user.conversation = await user.begin(client)
        users.append(user)
    return users


async def check(client: httpx.AsyncClient, users: list[User], *, since: Mapping[str, tuple[int, int]]) -> None:
    """Check all turns, and repeat and ask again what came `since`, with a few of what came before."""

    async def of(user: User) -> None:
        said, taught = since[user.name]
        await user.finish(client)
        await user.check_conversation(client)
        early_said = user.random.sample(user.said[:said], min(2, said))
        early_taught = user.random.sample(user.taught[:taught], min(2, taught))
        await user.check_repeats(client, [*early_said, *user.said[said:], *early_taught, *user.taught[taught:]])
        await user.check_learned(client, [*early_taught, *user.taught[taught:]])
        await user.check_conversation(client)

    await asyncio.gather(*(of(user) for user in users))


def counts(users: list[User]) -> dict[str, tuple[int, int]]:
    """How much each user has written down."""
    return {user.name: (len(user.said), len(user.taught)) for user in users}


async def all_have_said_something(users: list[User]) -> None:
    """Wait until each has one more answer."""
    before = {user.name: len(user.said) for user in users}
    while any(len(user.said) == before[user.name] for user in users):  # noqa: ASYNC110  # as simple as it is
        await asyncio.sleep(0.01)


async def talk_until_killed(
    process: ForkServerProcess, client: httpx.AsyncClient, users: list[User], after_s: float
) -> None:
    """Let all talk at once, and kill the server in the midst of it."""
    talks = [asyncio.create_task(user.talk(client)) for user in users]
    begun = asyncio.create_task(all_have_said_something(users))
    await asyncio.wait([begun, *talks], return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    await asyncio.sleep(after_s)
    process.kill()
    await asyncio.gather(*talks)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path):
    (tmp_path / "rejoinder.toml").write_text(SETTINGS + PATIENT_HOOKS)
    made = rejoinder(tmp_path, "key", "create", "--operator", "--json")
    operator = {"authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    deployment = Deployment(tmp_path)
    moments = random.Random(SEED)
    users: list[User] = []
    versions: set[str] = set()
    since: dict[str, tuple[int, int]] = {}
    for round_number in range(ROUNDS):
        if round_number in (ROUNDS // 3, 2 * ROUNDS // 3):  # some die before they ever answer
            process = deployment.spawn()
            await asyncio.sleep(moments.uniform(0.2, 4.0))
            kill(process)
        async with deployment.running() as (process, client):
            users = users or await settle(client, operator)
            if since:
                await check(client, users, since=since)
            deployment.check_file()
            seen = {**operator, "rejoinder-tenant": "acme"}
            live = (await get(client, "/v1/models?task=intent&state=live", seen))["versions"]
            versions |= {one["id"] for one in live}
            since = counts(users)
            await talk_until_killed(process, client, users, moments.uniform(0.0, 1.2))
    async with deployment.running() as (process, client):
        for user in users:
            await user.finish(client)
        await check(client, users, since=dict.fromkeys(counts(users), (0, 0)))
        deployment.check_file()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        await asyncio.to_thread(process.join, PATIENCE_S)
        assert process.exitcode == 0
    assert "Traceback" not in deployment.log
    assert len(versions) == 1, "the model is fitted once, stored and loaded again"
    assert sum(len(user.said) for user in users) >= 10 * ROUNDS
    taught = list(itertools.chain.from_iterable(user.taught for user in users))
    assert {one.request.body["kind"] for one in taught} == {"corrected_intent", "corrected_answer"}
    assert len(taught) >= 5 * ROUNDS
    assert min(deployment.starts_s[1:]) < START_S, f"starts took {deployment.starts_s}"

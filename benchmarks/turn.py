"""A turn over HTTP beside the encoder's own time for the same text: what everything around the model costs.

    REJOINDER_DATA=<folder of data sets> python benchmarks/turn.py [--backends torch,onnx-int8] [--seconds 10] [--bare] [--json OUT]

For each encoder backend a real server (SQLite, synchronous=FULL, every turn durable) serves a tenant whose model was fitted on all of
banking77's train split. wrk (Debian: apt install wrk) asks texts of the test split that it never repeats: with one connection, then
with 16, each in a conversation of its own. Nobody is handed over to a person, so that the bot answers every message. In the same run
the encoder encodes the same texts by itself, tokenising included: one by one with as many threads as the server gives it, and in
batches of 16 with all cores, which is its best; before and after, so that a machine that changes its speed shows.

On int8, a second tenant with the same examples gets a version with a rank-8 LoRA adapter (one pass over them, by a real worker; a
minute or two), and talks by one connection: its texts are read by the base in int8 and by the adapted encoder, which runs on torch.

`--bare` measures in place of all that the least that a durable turn can cost here: an ASGI application by itself that has the text
encoded in a thread, multiplies the vector by a matrix and stores one row, without keys, tenants, conversations, hooks or a trace.

Wanted: torch: p50 at most 1.6 times, p99 at most 4 times the encoder's own; int8: p50 at most 4 times, p99 at most 12 times, and with
16 connections at least 0.25 of the encoder's best. (A commit that waits for the disk takes as long on every backend.)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import gzip
import http.client
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder.models.encoding.service import EncoderService
from rejoinder_customer_service.demo.server import RunningServer, running_server

WANTED = {"torch": {"p50": 1.6, "p99": 4.0}, "onnx-int8": {"p50": 4.0, "p99": 12.0, "share": 0.25}}
LORA_ON = "onnx-int8"
"""The backend on which a tenant with a LoRA adapter talks as well."""

CONNECTIONS = 16
WARM_UP_S = 3
ENCODED = 300
SCRIPT = Path(__file__).with_suffix(".lua")
_BARE, _ROWS = "BARE_BACKEND", "BARE_ROWS"
"""Environment variables that tell the bare server its backend and its database."""


def post(url: str, path: str, body: object, token: str, tenant: str | None = None) -> dict[str, str]:
    """Post JSON; return JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if tenant is not None:
        headers["Rejoinder-Tenant"] = tenant
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    if response.status >= 300:
        sys.exit(f"POST {path}: {response.status} {data.decode()}")
    found: dict[str, str] = json.loads(data)
    return found


def banking77(split: str) -> list[dict[str, str]]:
    """Return the rows of a split as text and label."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/")
        sys.exit(0)
    with gzip.open(Path(folder) / "banking77" / f"{split}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": row["category"]} for row in csv.DictReader(file)]


def open_tenant(server: RunningServer, tenant: str, texts: list[str], plan: Path) -> None:
    """Make a tenant, teach it all of banking77's train split, and write down what wrk needs to talk to it."""
    url, key = server.url, server.operator_key
    settings = {
        "customer_service": {"catalogue": "banking77", "examples_per_intent": 1},
        "dialogue": {"hand_off": False},
        "learner_adaptation": {"method": "lora", "epochs": 1},
    }
    post(url, "/v1/tenants", {"id": tenant, "settings": settings}, key)
    post(url, "/v1/examples", [{**row, "task": "intent"} for row in banking77("train")], key, tenant)
    token = post(url, "/v1/tokens", {"user_id": "customer"}, key, tenant)["token"]
    conversations = [post(url, "/v1/conversations", {}, token)["id"] for _ in range(CONNECTIONS)]
    write_plan(plan, token, conversations, texts)


def write_plan(plan: Path, token: str, conversations: list[str], texts: list[str]) -> None:
    """Write down what wrk needs to talk: in which conversations, and what to say."""
    escaped = [json.dumps(text)[1:-1] for text in texts]
    lines = [token, str(len(conversations)), *conversations, *escaped]
    plan.write_text("\n".join(lines) + "\n", encoding="utf-8")


def adapt(server: RunningServer, tenant: str, task: str, *, backend: str = "auto") -> None:
    """Let a worker make a version of a tenant's model of a task, and wait until the server serves it."""
    config = server.log.with_name("rejoinder.toml")
    environment = {**os.environ, "REJOINDER_CONFIG": str(config), "REJOINDER_ENCODER__BACKEND": backend}

    def rejoinder(*arguments: str) -> Any:
        command = [sys.executable, "-m", "rejoinder", *arguments, "--tenant", tenant, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)

    quiet = subprocess.DEVNULL
    worker = subprocess.Popen(
        [sys.executable, "-m", "rejoinder", "worker"], env=environment, stdout=quiet, stderr=quiet
    )
    try:
        rejoinder("models", "adapt", "--task", task)
        while (run := rejoinder("models", "runs")[0])["status"] in ("queued", "running"):
            time.sleep(1)
    finally:
        worker.terminate()
        worker.wait()
    if run["status"] != "done":
        sys.exit(f"the run that was to make a version of {task} ended as {run['status']}: {run['error']}")
    version = run["model_version_id"]
    post(server.url, f"/v1/models/{version}/promote", {}, server.operator_key, tenant)
    while f"model {version} of tenant {tenant} serves" not in server.log.read_text("utf-8", "replace"):
        time.sleep(0.1)


def talk(url: str, plan: Path, connections: int, seconds: int, *, said: float = 0) -> dict[str, float]:
    """Let wrk talk; return `requests`, `seconds`, and `p50` and `p99` in milliseconds.

    Args:
        said: how many texts were said to this tenant before: the server would know their vectors, so others are said.
    """
    command = ["wrk", "-t", str(connections), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), url, "--", str(plan), str(connections), f"{said:.0f}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(printed.strip().splitlines()[-1])
    if found["failed"] or not found["requests"]:
        sys.exit(f"{found['failed']:.0f} of {found['requests']:.0f} requests failed:\n{printed}")
    return found


def single_ms(encoder: Encoder, texts: list[str]) -> list[float]:
    """Return the milliseconds that the encoder takes for each text by itself."""
    times = []
    for text in texts:
        started = time.perf_counter()
        encoder.encode([text])
        times.append((time.perf_counter() - started) * 1e3)
    return times


def batched_per_s(encoder: Encoder, texts: list[str]) -> float:
    """Return how many texts a second the encoder takes in batches of 16."""
    started = time.perf_counter()
    for start in range(0, len(texts), CONNECTIONS):
        encoder.encode(texts[start : start + CONNECTIONS])
    return len(texts) / (time.perf_counter() - started)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer messages with the index of the largest product of their vector, once a row with it is stored."""
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["encoder"] = encoder = EncoderService(lambda: load_encoder(backend=os.environ[_BARE], threads=1))
        await encoder.ready()
        rows = sqlite3.connect(os.environ[_ROWS], isolation_level=None, check_same_thread=False)
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute("PRAGMA synchronous=FULL")
        rows.execute("CREATE TABLE turns (id INTEGER PRIMARY KEY, text TEXT, label INTEGER, trace TEXT)")
        scope["state"]["rows"], scope["state"]["writer"] = rows, ThreadPoolExecutor(1)
        scope["state"]["head"] = np.random.default_rng(0).normal(size=((await encoder.ready()).dim, 77))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        encoder.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    state, text = scope["state"], json.loads((await receive())["body"])["text"]
    label = int((await state["encoder"].encode(text) @ state["head"]).argmax())
    row = (text, label, "x" * 1000)
    insert = partial(state["rows"].execute, "INSERT INTO turns (text, label, trace) VALUES (?, ?, ?)", row)
    await asyncio.get_running_loop().run_in_executor(state["writer"], insert)
    answer = json.dumps({"label": label, "text": "x" * 200}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def measure_bare(backend: str, texts: list[str], seconds: int) -> dict[str, Any]:
    """Measure `bare` beside the encoder."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
        free.close()
        plan = Path(folder) / "plan.txt"
        write_plan(plan, "token", [f"c{number}" for number in range(CONNECTIONS)], texts)
        environment = {**os.environ, _BARE: backend, _ROWS: str(Path(folder) / "rows.db")}
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "turn:bare",
            "--app-dir",
            str(Path(__file__).parent),
            "--port",
            port,
        ]
        server = subprocess.Popen([*command, "--no-access-log", "--log-level", "warning"], env=environment)
        try:
            _wait_for(int(port))
            url = f"http://127.0.0.1:{port}"
            said = talk(url, plan, 1, WARM_UP_S)["requests"] + 1
            encoder = load_encoder(backend=backend, threads=1)
            encoder.encode(texts[:CONNECTIONS])
            times = single_ms(encoder, texts[:ENCODED])
            alone = talk(url, plan, 1, seconds, said=said)
            times += single_ms(encoder, texts[:ENCODED])
        finally:
            server.terminate()
            server.wait()
    own = statistics.median(times)
    return {"encoder": own, "turn": alone, "ratio": alone["p50"] / own}


def _wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit("the bare server did not start within a minute")


def measure(backend: str, texts: list[str], seconds: int) -> dict[str, Any]:
    """Serve with one backend, and measure turns and encoder."""
    cores = os.cpu_count() or 2
    single: list[float] = []
    batched: list[float] = []

    def encode() -> None:
        """Measure the encoder; it is loaded anew for each number of threads, which torch has once for a process."""
        as_served = load_encoder(backend=backend, threads=max(1, cores // 2))
        as_served.encode(texts[:CONNECTIONS])
        single.extend(single_ms(as_served, texts[:ENCODED]))
        at_best = load_encoder(backend=backend, threads=cores)
        at_best.encode(texts[:CONNECTIONS])
        batched.append(batched_per_s(at_best, texts[: 4 * ENCODED]))

    with tempfile.TemporaryDirectory() as folder, running_server({"REJOINDER_ENCODER__BACKEND": backend}) as server:
        plan = Path(folder) / "plan.txt"
        open_tenant(server, "bench", texts, plan)
        said = talk(server.url, plan, 1, WARM_UP_S)["requests"] + 1
        encode()
        alone = talk(server.url, plan, 1, seconds, said=said)
        said += alone["requests"] + 1
        together = talk(server.url, plan, CONNECTIONS, seconds, said=said)
        encode()
        adapted = {}
        if backend == LORA_ON:
            open_tenant(server, "adapted", texts, plan)
            adapt(server, "adapted", "intent", backend=backend)
            said = talk(server.url, plan, 1, WARM_UP_S)["requests"] + 1
            adapted = {"lora": talk(server.url, plan, 1, seconds, said=said)}
    times = sorted(single)
    own = {"p50": statistics.median(times), "p99": times[int(len(times) * 0.99)], "batched_per_s": max(batched)}
    turns_per_s = together["requests"] / together["seconds"]
    ratios = {"p50": alone["p50"] / own["p50"], "p99": alone["p99"] / own["p99"]}
    return {
        "encoder": own,
        "turn": {name: alone[name] for name in ("p50", "p99", "requests")},
        **adapted,
        "sixteen": {"turns_per_s": turns_per_s, **{name: together[name] for name in ("p50", "p99", "requests")}},
        "ratios": {**ratios, "share": turns_per_s / own["batched_per_s"]},
        "wanted": WANTED.get(backend, {}),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A turn over HTTP beside the encoder's own time for the same text.")
    parser.add_argument("--backends", default="torch,onnx-int8", help="encoder backends, with commas between")
    parser.add_argument("--seconds", type=int, default=10, help="for which each number of connections talks")
    parser.add_argument("--bare", action="store_true", help="measure the least that a turn can cost here instead")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    texts = list(dict.fromkeys(row["text"] for row in banking77("test")))
    if shutil.which("wrk") is None:
        sys.exit("this benchmark needs wrk (Debian: apt install wrk)")
    if options.bare:
        least = {name: measure_bare(name, texts, options.seconds) for name in options.backends.split(",")}
        for name, one in least.items():
            turn, ratio = one["turn"], one["ratio"]
            print(
                f"{name}: encoder {one['encoder']:.2f} ms, bare turn p50 {turn['p50']:.2f} ({ratio:.2f} times), p99 {turn['p99']:.2f}"
            )
        _write(options.json, least)
        return
    found = {name: measure(name, texts, options.seconds) for name in options.backends.split(",")}
    print(f"{'':<12}{'':<7}{'encoder ms':>12}{'turn ms':>10}{'ratio':>8}{'wanted':>9}")
    for backend, one in found.items():
        for name in ("p50", "p99"):
            row = f"{one['encoder'][name]:>12.2f}{one['turn'][name]:>10.2f}{one['ratios'][name]:>8.2f}"
            print(f"{backend:<12}{name:<7}{row}{_limit(one, name, '<='):>9}")
        if "lora" in one:
            own, turn = one["encoder"]["p50"], one["lora"]["p50"]
            print(f"{'  with LoRA':<12}{'p50':<7}{own:>12.2f}{turn:>10.2f}{turn / own:>8.2f}{'-':>9}")
    print(
        f"\n{CONNECTIONS} connections{'encoder texts/s':>20}{'turns/s':>10}{'share':>8}{'wanted':>9}{'p50 ms':>9}{'p99 ms':>9}"
    )
    for backend, one in found.items():
        both = one["sixteen"]
        row = f"{one['encoder']['batched_per_s']:>20.0f}{both['turns_per_s']:>10.0f}{one['ratios']['share']:>8.2f}"
        print(f"{backend:<14}{row}{_limit(one, 'share', '>='):>9}{both['p50']:>9.1f}{both['p99']:>9.1f}")
    _write(options.json, found)


def _write(file: Path | None, found: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _limit(one: dict[str, Any], name: str, sign: str) -> str:
    return f"{sign} {one['wanted'][name]:g}" if name in one["wanted"] else "-"


if __name__ == "__main__":
    main()

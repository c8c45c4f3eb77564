"""`rejoinder models`: versions and the runs that make them."""

from __future__ import annotations

import json
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.learning.versions import open_registry
from rejoinder.models.storage import check_artefact
from rejoinder.payloads import Evaluation, Example
from rejoinder.settings import load_settings
from rejoinder.store.database import Database
from rejoinder.store.models import add_evaluation, add_version, set_version_state
from rejoinder.store.runs import claim_run, create_run, finish_run, list_runs
from typer.testing import Result

from tests.support.deployment import in_store
from tests.support.learners import NearestLearner

Run = Callable[..., Result]
Data = Callable[..., Any]


@pytest.fixture
def acme(run: Run) -> str:
    """A tenant."""
    run("tenant", "create", "acme")
    return "acme"


@pytest.fixture
def versions(acme: str) -> list[str]:
    """The ids of three versions, the second one live."""

    async def made(database: Database) -> list[str]:
        ids = []
        for task in ("intent", "intent", "topic"):
            row = await add_version(
                database, acme, task=task, artefact="somewhere", sha256="0" * 64, metrics={"accuracy": 0.5}
            )
            ids.append(row.id)
        await set_version_state(database, acme, ids[1], "live")
        return ids

    found: list[str] = in_store(made)
    return found


# --- versions ------------------------------------------------------------------------------------------------------


def test_without_versions_it_says_so(run: Run, acme: str) -> None:
    assert run("models", "list", "--tenant", acme).stdout == "(no model has been fitted yet)\n"


def test_versions_are_listed_by_task_newest_first(data: Data, acme: str, versions: list[str]) -> None:
    listed = data("models", "list", "--tenant", acme)

    assert [(one["task"], one["number"], one["state"]) for one in listed] == [
        ("intent", 2, "live"),
        ("intent", 1, "candidate"),
        ("topic", 1, "candidate"),
    ]


def test_the_list_can_be_of_one_task(data: Data, acme: str, versions: list[str]) -> None:
    assert [one["id"] for one in data("models", "list", "--tenant", acme, "--task", "topic")] == [versions[2]]


def test_people_get_a_table(run: Run, acme: str, versions: list[str]) -> None:
    output = run("models", "list", "--tenant", acme).stdout

    assert all(version in output for version in versions)
    assert "accuracy" in output


def test_a_version_is_shown_with_its_lineage(data: Data, acme: str, versions: list[str]) -> None:
    shown = data("models", "show", versions[0], "--tenant", acme)

    assert (shown["id"], shown["metrics"], shown["sha256"]) == (versions[0], {"accuracy": 0.5}, "0" * 64)
    assert {"parent_id", "base_hash", "data_fingerprint", "code_version", "settings", "seed"} <= set(shown)


def test_a_version_of_another_tenant_is_not_there(run: Run, versions: list[str]) -> None:
    run("tenant", "create", "other")

    result = run("models", "show", versions[0], "--tenant", "other", code=1)
    assert result.stderr == f"rejoinder: there is no model version {versions[0]!r}\n"


def test_a_version_is_shown_with_its_evaluations_and_ancestors(data: Data, acme: str, versions: list[str]) -> None:
    async def made(database: Database) -> str:
        row = await add_version(database, acme, task="intent", artefact="x", sha256="0", parent_id=versions[1])
        await add_evaluation(database, acme, row.id, data="held_back", evaluation=Evaluation(metrics={"accuracy": 0.9}))
        return row.id

    shown = data("models", "show", in_store(made), "--tenant", acme)
    assert [(one["data"], one["metrics"]) for one in shown["evaluations"]] == [("held_back", {"accuracy": 0.9})]
    assert [one["id"] for one in shown["lineage"]] == [versions[1]]


# --- promoted, rolled back, exported -------------------------------------------------------------------------------------


@pytest.fixture
def fitted(acme: str) -> list[str]:
    """The ids of three candidates with files."""

    async def made(database: Database) -> list[str]:
        registry = open_registry(database, load_settings().settings)
        ids = []
        for number in range(3):
            learner = NearestLearner()
            learner.fit([Example(id="e", task="intent", text="t", label=str(number))], np.ones((1, 4)), seed=0)
            draft = await registry.draft()
            learner.save(draft / "head")
            ids.append((await registry.add(acme, "intent", draft, metrics={"accuracy": number / 10})).id)
        return ids

    found: list[str] = in_store(made)
    return found


def states(data: Data) -> list[str]:
    return [one["state"] for one in data("models", "list", "--tenant", "acme")][::-1]


def test_versions_are_promoted_and_rolled_back_by_id_or_name(data: Data, acme: str, fitted: list[str]) -> None:
    assert data("models", "promote", fitted[0], "--tenant", acme)["state"] == "live"
    assert data("models", "promote", "intent-2", "--tenant", acme)["id"] == fitted[1]
    assert states(data) == ["retired", "live", "candidate"]
    both = data("models", "rollback", "--tenant", acme, "--task", "intent")

    assert (both["live"]["id"], both["retired"]["id"]) == (fitted[0], fitted[1])
    assert states(data) == ["live", "retired", "candidate"]


def test_people_are_told_what_is_live(run: Run, acme: str, fitted: list[str]) -> None:
    assert run("models", "promote", "intent-1", "--tenant", acme).stdout == f"intent-1 ({fitted[0]}) is live.\n"
    run("models", "promote", "intent-2", "--tenant", acme)
    output = run("models", "rollback", "--tenant", acme, "--task", "intent").stdout
    assert output == f"intent-1 ({fitted[0]}) is live again, in place of intent-2 ({fitted[1]}).\n"


@pytest.mark.parametrize("command", ["show", "promote", "export"])
def test_a_version_that_is_nearly_right_is_suggested(run: Run, acme: str, fitted: list[str], command: str) -> None:
    result = run("models", command, "intnet-2", "--tenant", acme, code=1)
    assert result.stderr == "rejoinder: there is no model version 'intnet-2'. Did you mean 'intent-2'?\n"


def test_a_task_that_is_nearly_right_is_suggested(run: Run, acme: str, fitted: list[str]) -> None:
    run("models", "promote", "intent-1", "--tenant", acme)
    result = run("models", "rollback", "--tenant", acme, "--task", "intents", code=1)
    assert "Did you mean 'intent'?" in result.stderr


def test_what_cannot_be_done_says_why(run: Run, acme: str, fitted: list[str]) -> None:
    run("models", "promote", "intent-1", "--tenant", acme)

    assert "is live already" in run("models", "promote", "intent-1", "--tenant", acme, code=1).stderr
    assert "was live before it" in run("models", "rollback", "--tenant", acme, "--task", "intent", code=1).stderr


def test_a_damaged_version_is_not_promoted(run: Run, data: Data, acme: str, fitted: list[str]) -> None:
    shown = data("models", "show", fitted[0], "--tenant", acme)
    file = next(Path(shown["artefact"]).glob("head/*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])

    assert f"{file} is damaged" in run("models", "promote", fitted[0], "--tenant", acme, code=1).stderr
    assert states(data) == ["candidate"] * 3


def test_no_tenant_promotes_or_takes_anothers_version(run: Run, fitted: list[str]) -> None:
    run("tenant", "create", "other")
    for command in ("promote", "export"):
        assert "there is no model version" in run("models", command, fitted[0], "--tenant", "other", code=1).stderr


@pytest.mark.parametrize("to", ["there", "there/intent.tar.gz", "it.tgz", None], ids=str)
def test_an_exported_version_can_be_loaded_elsewhere(
    data: Data, acme: str, fitted: list[str], tmp_path: Path, to: str | None
) -> None:
    where = () if to is None else ("--to", to)
    told = data("models", "export", "intent-2", "--tenant", acme, *where)
    target = Path(told["path"])
    folder = target
    if target.is_file():
        with tarfile.open(target) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        (folder,) = (tmp_path / "unpacked").iterdir()

    assert to is None or target == Path(to)
    assert check_artefact(folder)["files"] == told["files"]
    assert set(told["files"]) >= {"version.json", "head/model.json"}
    assert NearestLearner.load(folder / "head").labels == ["1"]
    version = json.loads((folder / "version.json").read_text())
    assert (version["id"], version["metrics"]) == (fitted[1], {"accuracy": 0.1})
    assert {"base_hash", "data_fingerprint", "code_version", "settings", "seed", "evaluations", "lineage"} <= set(
        version
    )


def test_an_export_never_replaces_what_is_there(run: Run, acme: str, fitted: list[str]) -> None:
    Path("there").mkdir()

    assert (
        "there is something at" in run("models", "export", fitted[0], "--tenant", acme, "--to", "there", code=1).stderr
    )
    result = run("models", "export", fitted[0], "--tenant", acme, "--to", "it.zip", code=1)
    assert "an archive that ends in .tar.gz" in result.stderr
    assert not list(Path().glob(".*.????????"))


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_is_queued_and_its_id_sent(data: Data, acme: str, folder: Path) -> None:
    made = data("models", "adapt", "--tenant", acme, "--task", "intent", "--priority", "3")

    assert (made["task"], made["status"], made["priority"], made["sent"]) == ("intent", "queued", 3, True)
    assert [one["id"] for one in data("models", "runs", "--tenant", acme)] == [made["id"]]
    (message,) = (folder / "rejoinder-data" / "broker" / "messages").iterdir()
    assert message.name.endswith(".cpu.msg")


def test_people_are_told_where_to_look(run: Run, acme: str) -> None:
    output = run("models", "adapt", "--tenant", acme, "--task", "intent").stdout

    assert "is queued" in output
    assert f"`rejoinder models runs --tenant {acme}`" in output


def test_a_broker_that_is_away_does_not_lose_the_run(
    data: Data, acme: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER_WORKERS__BROKER_URL", "amqp://guest:guest@127.0.0.1:1//")
    made = data("models", "adapt", "--tenant", acme, "--task", "intent")

    assert made["sent"] is False
    assert [one["id"] for one in data("models", "runs", "--tenant", acme, "--status", "queued")] == [made["id"]]


def test_without_celery_nothing_is_queued_and_it_says_how_to_get_it(
    run: Run, data: Data, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "celery", None)
        result = run("models", "adapt", "--tenant", acme, "--task", "intent", code=1)

    assert "pip install 'rejoinder[workers]'" in result.stderr
    assert data("models", "runs", "--tenant", acme) == []


def test_an_unknown_task_is_answered_with_the_tasks(run: Run, data: Data, acme: str) -> None:
    result = run("models", "adapt", "--tenant", acme, "--task", "intnt", code=1)

    assert "there is no task 'intnt'. Did you mean 'intent'? The tasks are: " in result.stderr
    assert data("models", "runs", "--tenant", acme) == []


def test_runs_tell_what_came_of_them(data: Data, acme: str, versions: list[str]) -> None:
    async def made(database: Database) -> None:
        for task, outcome in (
            ("intent", {"status": "done", "model_version_id": versions[0]}),
            ("topic", {"status": "failed", "error": "disk full"}),
        ):
            queued = await create_run(database, acme, task=task)
            await claim_run(database, acme, queued.id, owner="w", lease_s=60)
            await finish_run(database, acme, queued.id, owner="w", **outcome)  # type: ignore[arg-type]

    in_store(made)

    failed, done = data("models", "runs", "--tenant", acme)
    assert (failed["task"], failed["status"], failed["error"]) == ("topic", "failed", "disk full")
    assert (done["task"], done["status"], done["model_version_id"]) == ("intent", "done", versions[0])


@pytest.mark.parametrize(("option", "value"), [("--status", "failed"), ("--task", "topic")])
def test_the_runs_can_be_some_only(data: Data, acme: str, option: str, value: str) -> None:
    async def made(database: Database) -> None:
        await create_run(database, acme, task="intent")
        other = await create_run(database, acme, task="topic")
        await claim_run(database, acme, other.id, owner="w", lease_s=60)
        await finish_run(database, acme, other.id, owner="w", status="failed")

    in_store(made)

    assert [one["task"] for one in data("models", "runs", "--tenant", acme, option, value)] == ["topic"]


def test_an_unknown_status_is_answered_with_the_choices(run: Run, acme: str) -> None:
    result = run("models", "runs", "--tenant", acme, "--status", "don", code=1)

    assert "--status: there is no 'don'. Did you mean 'done'? Choose from queued, running" in result.stderr


def test_a_run_is_cancelled_once(run: Run, data: Data, acme: str) -> None:
    made = data("models", "adapt", "--tenant", acme, "--task", "intent")

    assert data("models", "cancel", made["id"], "--tenant", acme)["status"] == "cancelled"
    assert "is over: cancelled" in run("models", "cancel", made["id"], "--tenant", acme, code=1).stderr
    assert "there is no adaptation run" in run("models", "cancel", "run_none", "--tenant", acme, code=1).stderr


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("failed", 1)])
def test_waiting_shows_a_bar_until_the_run_is_over(run: Run, data: Data, acme: str, status: str, code: int) -> None:
    def carried_out() -> None:
        async def found(database: Database) -> list[str]:
            return [one.id for one in await list_runs(database, acme)]

        while not (ids := in_store(found)):
            time.sleep(0.05)

        async def done(database: Database) -> None:
            await claim_run(database, acme, ids[0], owner="w", lease_s=60)
            await finish_run(database, acme, ids[0], owner="w", status=status, error=None if code == 0 else "disk full")  # type: ignore[arg-type]

        in_store(done)

    worker = threading.Thread(target=carried_out)
    worker.start()
    told = run("models", "adapt", "--tenant", acme, "--task", "intent", "--wait", code=code)
    worker.join()

    assert f"is {status}" in told.stdout
    assert ("disk full" in told.stdout) == (code == 1)
    assert f"intent: {status}" in told.stderr


def test_without_runs_it_says_so(run: Run, acme: str) -> None:
    assert run("models", "runs", "--tenant", acme).stdout == "(there was no run yet)\n"


@pytest.mark.parametrize(
    "words",
    [("list",), ("show", "model_1"), ("runs",), ("adapt", "--task", "intent")],
    ids=lambda words: words[0],
)
def test_a_tenant_that_is_not_there_is_named(run: Run, words: tuple[str, ...]) -> None:
    result = run("models", *words, "--tenant", "nobody", code=1)

    assert "nobody" in result.stderr or "model_1" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""

"""Fitted models on the disk: named by what they were made of, and refused when they are not what was saved."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.learning.label_names import with_label_names
from rejoinder.learning.versions import Fitted, Registry, fingerprint_of
from rejoinder.models.storage import ARTEFACT_MANIFEST, ArtefactStore, check_artefact
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example
from rejoinder.store.database import Database
from rejoinder.store.models import list_versions, live_version
from rejoinder.store.tenants import create_tenant
from rejoinder.testing import HashEncoder

from tests.services.postgres import postgres_url
from tests.support.learners import SEEDS, NearestLearner

__all__ = ["postgres_url"]

EXAMPLES = [Example(id=f"e{i}", task="intent", text=t, label=label) for i, (t, label) in enumerate(SEEDS.items())]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A store with the tenants acme and other; the PostgreSQL one is shared and emptied afterwards."""
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'store.db'}"
    opened = await Database.open(url, synchronous="NORMAL")
    await opened.migrate()
    for tenant in ("acme", "other"):
        await create_tenant(opened, tenant, name=tenant)
    yield opened
    if postgres:
        await opened.downgrade("base")
    await opened.close()


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    NearestLearner.forget_calls()
    return Registry(database, ArtefactStore(tmp_path / "models"))


async def fitted(registry: Registry, examples: Sequence[Example] = EXAMPLES, **changes: Any) -> Fitted:
    encoder = HashEncoder()

    async def encode(examples: Sequence[Example]) -> Any:
        return encoder.encode([example.text for example in examples])

    values = {"tenant": "acme", "task": "intent", "factory": NearestLearner, "base_hash": encoder.hash, "seed": 0}
    given = {**values, **changes}
    return await registry.fitted(
        given["tenant"],
        given["task"],
        given["factory"],
        examples,
        given.get("encode", encode),
        base_hash=given["base_hash"],
        seed=given["seed"],
    )


async def test_a_new_model_is_a_live_version_with_its_lineage(registry: Registry, database: Database) -> None:
    made = await fitted(registry, seed=3)

    row = await live_version(database, "acme", "intent")
    assert row is not None
    assert made.version == f"intent-{row.number}" == "intent-1"
    assert (row.seed, row.base_hash, row.data_fingerprint) == (3, HashEncoder().hash, fingerprint_of(EXAMPLES))
    assert row.sha256 == hashlib.sha256((Path(row.artefact) / ARTEFACT_MANIFEST).read_bytes()).hexdigest()
    assert {name.partition("/")[0] for name in check_artefact(Path(row.artefact))["files"]} == {"head", "anchors"}
    assert row.metrics == {"examples": 6.0, "seed": 3.0}
    assert row.settings == {"origin": "host", "learner": "tests.support.learners.NearestLearner"}
    assert row.promoted_at is not None


async def test_the_same_data_loads_what_is_there_and_encodes_nothing(registry: Registry) -> None:
    async def refuses(_: Sequence[str]) -> Any:
        raise AssertionError("nothing was to be encoded")

    first = await fitted(registry)
    again = await fitted(registry, encode=refuses)

    assert len(NearestLearner.fits) == 1
    assert again.version == first.version
    assert again.anchor_labels == first.anchor_labels
    np.testing.assert_array_equal(again.anchors, first.anchors)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"base_hash": "another encoder"},
        {"factory": type("Another", (NearestLearner,), {})},
    ],
    ids=["seed", "encoder", "learner"],
)
async def test_whatever_it_was_made_of_differs_it_is_fitted_anew(
    registry: Registry, database: Database, changes: dict[str, Any]
) -> None:
    await fitted(registry)
    made = await fitted(registry, **changes)

    assert made.version == "intent-2"
    new, old = await list_versions(database, "acme")
    assert (new.state, old.state, new.parent_id) == ("live", "retired", old.id)


async def test_another_version_of_the_code_fits_anew(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    await fitted(registry)
    monkeypatch.setattr("rejoinder.learning.versions.__version__", "999")

    assert (await fitted(registry)).version == "intent-2"


async def test_without_examples_there_is_nothing_to_keep(registry: Registry, database: Database) -> None:
    made = await fitted(registry, [])

    assert (made.version, made.anchor_labels) == ("", ())
    assert await list_versions(database, "acme") == []


async def test_tenants_and_tasks_have_versions_of_their_own(registry: Registry, database: Database) -> None:
    for tenant, task in (("acme", "intent"), ("other", "intent"), ("acme", "topic")):
        assert (await fitted(registry, tenant=tenant, task=task)).version == f"{task}-1"

    assert [one.task for one in await list_versions(database, "acme")] == ["intent", "topic"]
    assert [one.task for one in await list_versions(database, "other")] == ["intent"]


async def test_anchors_are_a_sample_of_many_examples(registry: Registry) -> None:
    many = [Example(id=str(i), task="intent", text=f"text {i}", label=str(i % 7)) for i in range(4001)]
    made = await fitted(registry, many)

    assert len(made.anchor_labels) == len(made.anchors) == 1334
    assert made.anchor_labels[:3] == ("0", "3", "6")


async def test_names_of_labels_are_learned_from_and_are_no_anchors(registry: Registry, database: Database) -> None:
    made = await fitted(registry, factory=TextClassifier)

    row = await live_version(database, "acme", "intent")
    assert row is not None
    assert row.data_fingerprint == fingerprint_of(EXAMPLES)
    assert len(made.anchor_labels) == len(EXAMPLES)
    names = {one.label: one.text for one in with_label_names(made.learner, EXAMPLES)[len(EXAMPLES) :]}
    assert names
    said = made.learner.predict_batch(list(names.values()), HashEncoder().encode(list(names.values())))
    assert [one.label for one in said] == list(names)


@pytest.mark.parametrize("what", ["flipped", "cut", "removed", "added", "emptied"])
async def test_a_folder_that_is_not_what_was_saved_is_fitted_anew(
    registry: Registry, database: Database, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    await fitted(registry)
    row = await live_version(database, "acme", "intent")
    assert row is not None
    spoil(Path(row.artefact), what)

    with caplog.at_level(logging.WARNING):
        made = await fitted(registry)

    assert made.version == "intent-2"
    assert row.id in caplog.text


def spoil(folder: Path, what: str) -> None:
    file = next(folder.glob("head/*.safetensors"))
    data = file.read_bytes()
    if what == "flipped":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif what == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif what == "removed":
        file.unlink()
    elif what == "added":
        file.with_name("more.bin").write_bytes(b"x")
    else:
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()


async def test_processes_that_fit_at_once_all_get_a_model(registry: Registry, database: Database) -> None:
    made = await asyncio.gather(*(fitted(registry) for _ in range(4)))

    assert all(one.version.startswith("intent-") for one in made)
    rows = await list_versions(database, "acme")
    assert sorted(one.number for one in rows) == [1, 2, 3, 4]
    assert len([one for one in rows if one.state == "live"]) == 1
    assert (await fitted(registry)).version == f"intent-{next(one.number for one in rows if one.state == 'live')}"


def test_the_fingerprint_is_of_what_examples_say_not_of_their_ids() -> None:
    renamed = [replace(example, id=f"other-{example.id}", source="import", user_id="u") for example in EXAMPLES]

    assert fingerprint_of(renamed) == fingerprint_of(EXAMPLES)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "another"},
        {"label": "another"},
        {"other": "another"},
        {"polarity": "negative"},
        {"weight": 2.0},
        {"target": {"start": 1}},
        {"task": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_changes_with_whatever_an_example_says(change: dict[str, Any]) -> None:
    changed = [*EXAMPLES[:-1], replace(EXAMPLES[-1], **change)]

    assert fingerprint_of(changed) != fingerprint_of(EXAMPLES)


def test_the_fingerprint_changes_with_the_order() -> None:
    assert fingerprint_of(EXAMPLES[::-1]) != fingerprint_of(EXAMPLES)

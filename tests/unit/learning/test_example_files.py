"""Examples out and in again: the same file, bad rows told and kept, nothing twice, nothing of another tenant."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import InvalidInputError
from rejoinder.learning.example_files import format_of, read_rows, stored_examples, write_examples, write_rejects
from rejoinder.learning.example_import import ExampleImport, ImportReport
from rejoinder.learning.holdback import held_back
from rejoinder.payloads import Caller, Example
from rejoinder.store.examples import add_examples, list_examples
from rejoinder.store.users import ensure_user, set_consent
from rejoinder_plugins.redaction import plugin as redaction

from tests.support.application import opened, text_that_is
from tests.support.learners import TaughtPlugin

NOW = utc_now()
EXAMPLES = [
    Example(
        id="ex-1",
        task="intent",
        text="where is my card",
        label="card",
        polarity="correction",
        weight=2.5,
        source="feedback:corrected_intent",
        decision_id="dec-1",
        user_id="ana",
        at=NOW - timedelta(days=3),
    ),
    Example(id="ex-2", task="intent", text="x\u2028y", label="hours", polarity="negative", at=NOW - timedelta(days=2)),
    Example(
        id="ex-3",
        task="slots",
        text="to Paris",
        target=[{"start": 3, "end": 8, "label": "city"}],
        source="seed",
        at=NOW - timedelta(days=4),
    ),
]


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    plugins = {"taught": TaughtPlugin(), "redaction": redaction}
    async with opened(tmp_path / "data", plugins, tenants=("acme", "other")) as application:
        yield application


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def export(application: Application, path: Path, tenant: str = "acme") -> bytes:
    await write_examples(stored_examples(application.database, tenant), path)
    return bytes_of(path)


async def load(application: Application, path: Path, tenant: str = "other") -> ImportReport:
    request = await application.models.request_for(tenant, Caller(id="admin", role="admin"))
    loading = ExampleImport(
        application.database, application.host, request, held_back=lambda example: held_back(example.text)
    )
    with path.open("rb") as content:
        return await loading.load(read_rows(content, format_of(path)))


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
async def test_an_export_of_what_was_imported_is_the_same_file(
    application: Application, tmp_path: Path, ending: str
) -> None:
    await add_examples(application.database, "acme", EXAMPLES)
    first = await export(application, tmp_path / f"first{ending}")

    assert await load(application, tmp_path / f"first{ending}") == ImportReport(loaded=3)
    assert await export(application, tmp_path / f"again{ending}", "other") == first
    assert await load(application, tmp_path / f"again{ending}") == ImportReport(repeated=3)
    assert await load(application, tmp_path / f"again{ending}", "acme") == ImportReport(repeated=3)
    stored = await list_examples(application.database, "other", "intent")
    assert {one.source for one in stored} == {"import"}
    assert [one.user_id for one in stored] == ["ana", None]
    assert names_in(tmp_path) == {"data", f"first{ending}", f"again{ending}"}


async def test_rows_that_cannot_be_used_are_told_and_kept_apart(application: Application, tmp_path: Path) -> None:
    await ensure_user(application.database, "other", "ben")
    await set_consent(application.database, "other", "ben", False)
    rows = [
        '{"text": "write to me at ana@example.com", "label": "mail"}',
        "{broken",
        "",
        '{"text": "no label"}',
        '{"text": "late", "label": "x", "colour": 1}',
        '{"id": "a", "text": "one", "label": "x"}',
        '{"id": "a", "text": "another", "label": "x"}',
        '{"text": "of ben", "label": "x", "user_id": "ben"}',
        json.dumps({"text": "tomorrow", "label": "x", "at": (utc_now() + timedelta(days=1)).isoformat()}),
        '{"text": "write to me at ana@example.com", "label": "mail"}',
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))

    report = await load(application, tmp_path / "rows.jsonl")

    assert (report.loaded, report.repeated) == (2, 1)
    bad = sorted(report.bad, key=lambda one: one.line)
    assert [one.line for one in bad] == [2, 4, 5, 7, 8, 9]
    reasons = " | ".join(one.reason for one in bad)
    for words in ("not JSON", "needs a label", "colour: there is no such field", "another example with the id 'a'"):
        assert words in reasons
    assert "does not want to be learned from" in reasons
    assert "in the future" in reasons
    write_rejects(bad, tmp_path / "rejects.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert kept[0] == {"line": 2, "reason": bad[0].reason, "row": "{broken"}
    assert kept[1]["row"] == {"text": "no label"}
    texts = [one.text for one in await list_examples(application.database, "other", "intent")]
    assert "write to me at [EMAIL]" in texts
    assert await list_examples(application.database, "acme", "intent") == []


async def test_what_was_erased_does_not_come_back_by_an_old_file(application: Application, tmp_path: Path) -> None:
    await add_examples(application.database, "acme", EXAMPLES)
    await export(application, tmp_path / "old.jsonl")
    await application.eraser.erase("acme", "ana", by="key:admin")

    report = await load(application, tmp_path / "old.jsonl", "acme")

    assert (report.loaded, report.repeated) == (0, 2)
    assert [one.reason for one in report.bad] == ["it was erased, and stays so"]


async def test_imported_rows_are_held_back_by_the_same_hash(application: Application, tmp_path: Path) -> None:
    kept = text_that_is(True)
    (tmp_path / "rows.jsonl").write_text(f'{{"text": "{kept}", "label": "a"}}\n{{"text": "plain", "label": "a"}}\n')
    assert held_back("plain") is False
    await load(application, tmp_path / "rows.jsonl")
    held = await list_examples(application.database, "other", "intent", held_back=True)
    assert [one.text for one in held] == [kept]


async def test_other_files_are_refused(application: Application, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="must end in"):
        format_of(tmp_path / "rows.xls")
    (tmp_path / "rows.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(InvalidInputError, match="no Parquet file"):
        await load(application, tmp_path / "rows.parquet")


def packed(text: str, rows: int) -> io.BytesIO:
    """A Parquet file of a row that is repeated: it takes no more room than one."""
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), pyarrow.array([text]))
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": column, "label": column}), file, compression="zstd")
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize(("text", "rows"), [("x" * 5000, 100_000), ("x" * 2_000_000, 3), ("x", 100_000)])
def test_a_small_file_that_unfolds_into_a_large_one_is_refused_before_it_does(text: str, rows: int) -> None:
    file = packed(text, rows)
    assert len(file.getvalue()) < 50_000
    with pytest.raises(InvalidInputError, match="unpacked, the file is larger than 1000000 bytes: send it in parts"):
        list(read_rows(file, "parquet", most_bytes=1_000_000))


def test_a_repeated_text_is_read_in_every_row() -> None:
    rows = list(read_rows(packed("hello", 700), "parquet", most_bytes=1_000_000))
    assert [one.value for one in rows] == [{"text": "hello", "label": "hello"}] * 700


async def test_a_target_is_redacted_too_and_is_not_nested_without_end(application: Application, tmp_path: Path) -> None:
    deep = "[" * 80 + "]" * 80
    (tmp_path / "rows.jsonl").write_text(
        '{"text": "who", "target": {"answers": [{"text": "ana@example.com", "start": 3}]}}\n'
        f'{{"text": "deep", "target": {deep}}}\n'
    )
    report = await load(application, tmp_path / "rows.jsonl")
    assert [one.reason for one in report.bad] == ["target: it is nested more than 64 deep"]
    (kept,) = await list_examples(application.database, "other", "intent")
    assert kept.target == {"answers": [{"text": kept.target["answers"][0]["text"], "start": 3}]}
    assert "ana@example.com" not in str(kept.target)

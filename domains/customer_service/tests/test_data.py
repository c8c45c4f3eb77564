"""What the customer service domain ships: complete, licensed, small, free of test texts, and reproducible."""

import csv
import gzip
import json
import os
import re
import shutil
import string
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DOMAIN = Path(__file__).resolve().parents[1]
DATA = DOMAIN / "rejoinder_customer_service" / "data"
BUILDER = DOMAIN / "tools" / "build_data.py"
INTENTS = {"banking77": 77, "bitext": 27}
PER_INTENT = {"banking77": 20, "bitext": 40}
SETS = sorted(INTENTS)
UNRESOLVED = re.compile(r"\{\{|\}\}|<[^>]*>|\[[^\]]*\]|\bTODO\b|\bTBD\b|\bX{2,}\b|lorem", re.IGNORECASE)


def answers(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((DATA / name / "answers.json").read_text(encoding="utf-8"))
    return entries


def rows_of(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["text", "label"]
    assert all(len(row) == 2 for row in rows)
    return [(text, label) for text, label in rows[1:]]


def train(name: str) -> list[tuple[str, str]]:
    return rows_of(DATA / name / "train.csv")


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def run_builder(*arguments: str | Path, data: str | Path | None) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "REJOINDER_DATA"}
    if data is not None:
        env["REJOINDER_DATA"] = str(data)
    command = [sys.executable, str(BUILDER), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def source_rows(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.DictReader(text.splitlines(keepends=True)))


@pytest.fixture(scope="module")
def sources() -> Path:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        pytest.skip("REJOINDER_DATA is not set: it names the folder with banking77/ and bitext_support/")
    root = Path(folder).resolve()
    for name in ("banking77", "bitext_support"):
        if not (root / name).is_dir():
            pytest.skip(f"REJOINDER_DATA has no {name}/: {root}")
    return root


@pytest.mark.parametrize("name", SETS)
def test_each_intent_has_exactly_one_answer(name: str) -> None:
    counts = Counter(entry["intent"] for entry in answers(name))
    assert len(counts) == INTENTS[name]
    assert set(counts.values()) == {1}
    assert set(counts) == {label for _, label in train(name)}


@pytest.mark.parametrize("name", SETS)
def test_entries_have_the_same_shape(name: str) -> None:
    wanted = {"intent", "title", "question", "answer", "source"} | ({"slots"} if name == "bitext" else set())
    for entry in answers(name):
        assert set(entry) == wanted, entry["intent"]
        for field in wanted - {"slots"}:
            value = entry[field]
            assert value, (entry["intent"], field)
            assert value == " ".join(value.split()), (entry["intent"], field)
        assert len(entry["title"]) <= 45
        assert not entry["title"].endswith((".", "?", "!"))
        assert entry["question"].endswith(("?", "."))
        assert entry["source"].startswith("Help centre: ")


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("field", ["title", "question", "answer"])
def test_no_two_intents_share_a_text(name: str, field: str) -> None:
    counts = Counter(normal(entry[field]) for entry in answers(name))
    assert [text for text, count in counts.items() if count > 1] == []


def test_banking_answers_are_two_to_four_sentences() -> None:
    sentences = {e["intent"]: len(re.findall(r"[.!?](?=\s|$)", e["answer"])) for e in answers("banking77")}
    assert {intent: count for intent, count in sentences.items() if not 2 <= count <= 4} == {}


@pytest.mark.parametrize("name", SETS)
def test_every_placeholder_is_a_slot_with_a_default(name: str) -> None:
    for entry in answers(name):
        for field in ("title", "question", "answer", "source"):
            assert not UNRESOLVED.search(entry[field]), (entry["intent"], field)
            named = {slot for _, slot, _, _ in string.Formatter().parse(entry[field]) if slot is not None}
            assert named == (set(entry.get("slots", {})) if field == "answer" else set()), (entry["intent"], field)
        slots = entry.get("slots", {})
        assert all(slots.values()), entry["intent"]
        assert not re.search(r"[{}]", entry["answer"].format(**slots)), entry["intent"]


@pytest.mark.parametrize("name", SETS)
def test_answers_name_no_address_or_telephone_number(name: str) -> None:
    for entry in answers(name):
        shown = entry["answer"].format(**entry.get("slots", {}))
        assert not re.search(r"https?:|www\.|\w@\w|\d{3}[\s-]?\d{3,}", shown), entry["intent"]


@pytest.mark.parametrize("name", SETS)
def test_train_files_are_clean_and_distinct(name: str) -> None:
    rows = train(name)
    assert all(text and text == " ".join(text.split()) and len(text) <= 200 for text, _ in rows)
    counts = Counter(normal(text) for text, _ in rows)
    assert [text for text, count in counts.items() if count > 1] == []
    assert "\r" not in (DATA / name / "train.csv").read_bytes().decode()


def test_everyday_wordings_are_clean_and_stand_in_no_other_file(request: pytest.FixtureRequest) -> None:
    rows = rows_of(DATA / "everyday" / "bitext.csv")
    assert all(text and text == " ".join(text.split()) and len(text) <= 80 for text, _ in rows)
    texts = {normal(text) for text, _ in rows}
    assert len(texts) == len(rows) == 181
    assert {label for _, label in rows} == {entry["intent"] for entry in answers("bitext")}
    assert not texts & {normal(text) for text, _ in train("bitext") + rows_of(DATA / "bitext" / "regression.csv")}
    sources = request.getfixturevalue("sources")  # skips where there are none
    for file in ("intent_dev.csv", "intent_test.csv"):
        assert not texts & {normal(row["utterance"]) for row in source_rows(sources / "bitext_support" / file)}


@pytest.mark.parametrize("name", SETS)
def test_sizes_are_bounded(name: str) -> None:
    per_intent = Counter(label for _, label in train(name))
    assert max(per_intent.values()) <= PER_INTENT[name]
    assert min(per_intent.values()) >= 10
    assert sum(path.stat().st_size for path in (DATA / name).iterdir()) < 600_000


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("banking77", ["CC BY 4.0", "creativecommons.org/licenses/by/4.0", "arXiv:2003.04807", "What was changed"]),
        ("bitext", ["CDLA-Sharing-1.0", "cdla.dev/sharing-1-0", "Bitext", "Notice of changes"]),
    ],
)
def test_licence_names_terms_origin_and_changes(name: str, needed: list[str]) -> None:
    text = (DATA / name / "LICENSE.md").read_text(encoding="utf-8")
    assert [part for part in needed if part not in text] == []
    assert f"({len(train(name)):,} of " in text


@pytest.mark.parametrize(
    ("name", "files", "column"),
    [
        ("banking77", ["banking77/test.csv.gz"], "text"),
        ("bitext", ["bitext_support/intent_dev.csv", "bitext_support/intent_test.csv"], "utterance"),
    ],
)
def test_no_evaluation_text_is_shipped(sources: Path, name: str, files: list[str], column: str) -> None:
    unseen = {normal(row[column]) for file in files for row in source_rows(sources / file)}
    assert len(unseen) > 1_000
    assert [text for text, _ in train(name) if normal(text) in unseen] == []


@pytest.mark.parametrize(
    ("name", "file", "columns"),
    [
        ("banking77", "banking77/train.csv.gz", ("text", "category")),
        ("bitext", "bitext_support/intent_train.csv.gz", ("utterance", "intent")),
    ],
)
def test_shipped_rows_are_train_rows_with_their_labels(
    sources: Path, name: str, file: str, columns: tuple[str, str]
) -> None:
    published = {(normal(row[columns[0]]), row[columns[1]]) for row in source_rows(sources / file)}
    assert [row for row in train(name) if (normal(row[0]), row[1]) not in published] == []


def test_demo_asks_what_nothing_learns_from(sources: Path) -> None:
    rows = {name: rows_of(DATA / "banking77" / f"{name}.csv") for name in ("train", "demo_stream", "demo_test")}
    assert {name: len(pairs) for name, pairs in rows.items()} == {"train": 1540, "demo_stream": 3000, "demo_test": 900}
    texts = {name: {normal(text) for text, _ in pairs} for name, pairs in rows.items()}
    official = {normal(row["text"]) for row in source_rows(sources / "banking77" / "test.csv.gz")}
    assert texts["demo_test"] <= official
    assert not texts["demo_stream"] & (official | texts["train"])


@pytest.mark.parametrize("name", SETS)
def test_the_regression_set_is_kept_apart(sources: Path, name: str) -> None:
    frozen = rows_of(DATA / name / "regression.csv")
    texts = {normal(text) for text, _ in frozen}
    shipped = train(name) + (rows_of(DATA / name / "demo_stream.csv") if name == "banking77" else [])
    assert len(texts) == len(frozen) >= 750
    assert not texts & {normal(text) for text, _ in shipped}
    assert {label for _, label in frozen} == {entry["intent"] for entry in answers(name)}
    files = {
        "banking77": ["banking77/test.csv.gz"],
        "bitext": ["bitext_support/intent_dev.csv", "bitext_support/intent_test.csv"],
    }
    unseen = {
        normal(row.get("text") or row.get("utterance", ""))
        for file in files[name]
        for row in source_rows(sources / file)
    }
    assert not texts & unseen


def test_banking_intents_are_the_published_ones(sources: Path) -> None:
    published = json.loads((sources / "banking77" / "categories.json").read_text(encoding="utf-8"))
    assert {entry["intent"] for entry in answers("banking77")} == set(published)


def test_bitext_answers_are_the_published_responses(sources: Path) -> None:
    rows = source_rows(sources / "bitext_support" / "responses_short_6480.csv.gz")
    published = {row["intent"]: " ".join(row["response"].split()) for row in rows}
    for entry in answers("bitext"):
        parts = re.split(r"\{\w+\}", entry["answer"])
        assert re.fullmatch(".+".join(map(re.escape, parts)), published[entry["intent"]]), entry["intent"]


def test_rebuild_gives_identical_files(sources: Path, tmp_path: Path) -> None:
    done = run_builder("--out", tmp_path, data=sources)
    assert done.returncode == 0, done.stderr
    for name in SETS:
        for file in (DATA / name).glob("*.csv"):
            assert (tmp_path / name / file.name).read_bytes() == file.read_bytes(), file
    assert run_builder("--check", data=sources).returncode == 0


def test_another_seed_chooses_other_examples(sources: Path, tmp_path: Path) -> None:
    assert run_builder("--out", tmp_path, "--seed", "1", data=sources).returncode == 0
    other = (tmp_path / "banking77" / "train.csv").read_bytes()
    assert other != (DATA / "banking77" / "train.csv").read_bytes()


def test_check_reports_a_changed_file_and_writes_nothing(sources: Path, tmp_path: Path) -> None:
    for name in SETS:
        (tmp_path / name).mkdir()
        for file in (DATA / name).glob("*.csv"):
            shutil.copy(file, tmp_path / name / file.name)
    edited = tmp_path / "bitext" / "train.csv"
    edited.write_text("text,label\n", encoding="utf-8")
    done = run_builder("--check", "--out", tmp_path, data=sources)
    assert done.returncode == 1
    assert str(edited) in done.stderr
    assert "banking77" not in done.stderr
    assert edited.read_text(encoding="utf-8") == "text,label\n"


def test_builder_without_sources_says_what_to_set() -> None:
    done = run_builder("--check", data=None)
    assert done.returncode == 2
    assert "set REJOINDER_DATA or give --data" in done.stderr


def test_builder_names_the_missing_folder_and_file(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert f"{nowhere} is no folder" in run_builder("--check", data=nowhere).stderr
    done = run_builder("--out", tmp_path / "out", data=tmp_path)
    assert done.returncode == 1
    assert "train.csv.gz is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not gzip", "cannot be read"), (b"\x1f\x8b", "cannot be read")],
    ids=["no-gzip", "cut-short"],
)
def test_builder_explains_a_broken_source(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "banking77").mkdir()
    (tmp_path / "banking77" / "train.csv.gz").write_bytes(content)
    done = run_builder("--out", tmp_path / "out", data=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_builder_refuses_another_release(tmp_path: Path) -> None:
    (tmp_path / "banking77").mkdir()
    (tmp_path / "banking77" / "train.csv.gz").write_bytes(gzip.compress(b"utterance,intent\nhello,greet\n"))
    done = run_builder("--out", tmp_path / "out", data=tmp_path)
    assert done.returncode == 1
    assert "expected also ['text', 'category']" in done.stderr

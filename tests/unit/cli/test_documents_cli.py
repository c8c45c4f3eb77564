"""`rejoinder documents`: files in, bad ones named, gone ones pruned, nothing of another tenant's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.testing import HashEncoder
from typer.testing import Result

pytest.importorskip("selectolax", reason="needs the extra rejoinder[documents]")

Run = Callable[..., Result]
Data = Callable[..., Any]


@pytest.fixture
def files(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of documents, and the tenants "acme" and "other"."""
    monkeypatch.setattr("rejoinder.cli.documents.load_encoder", HashEncoder)
    run("tenant", "create", "acme")
    run("tenant", "create", "other")
    inside = folder / "handbook"
    (inside / "faq").mkdir(parents=True)
    (inside / "refunds.md").write_text("# Refunds\nWithin five days.\n", encoding="utf-8")
    (inside / "faq" / "cards.html").write_text("<h1>Cards</h1><p>Block it in the app.", encoding="utf-8")
    (inside / "logo.png").write_bytes(b"\x89PNG")
    return inside


def test_a_folder_is_read_and_kept_up_to_date(data: Data, files: Path):
    added = data("documents", "add", str(files), "--tenant", "acme")
    assert [(one["id"], one["changed"], one["encoded"]) for one in added["added"]] == [
        ("faq/cards.html", True, 1),
        ("refunds.md", True, 1),
    ]
    (files / "refunds.md").unlink()
    again = data("documents", "add", str(files), "--tenant", "acme", "--prune")
    assert [(one["id"], one["changed"], one["encoded"]) for one in again["added"]] == [("faq/cards.html", False, 0)]
    assert again["removed"] == ["refunds.md"]
    assert [one["id"] for one in data("documents", "list", "--tenant", "acme")] == ["faq/cards.html"]


def test_files_of_other_kinds_in_a_folder_are_told(run: Run, data: Data, files: Path):
    (files / ".git").mkdir()
    (files / ".git" / "config").write_text("x", encoding="utf-8")
    assert (
        "1 files are of kinds that are not read (.png)"
        in run("documents", "add", str(files), "--tenant", "acme").stderr
    )
    [left] = data("documents", "add", str(files), "--tenant", "acme")["passed_over"]
    assert left.endswith("logo.png")


def test_bad_files_are_named_and_the_rest_is_kept(run: Run, data: Data, files: Path):
    (files / "torn.pdf").write_bytes(b"%PDF-1.7")
    result = run("documents", "add", str(files), str(files / "logo.png"), "--tenant", "acme", code=1)
    assert "2 documents read" in result.stdout
    for name in ("torn.pdf: ", "logo.png: "):
        assert name in result.stderr
    assert len(data("documents", "list", "--tenant", "acme")) == 2


def test_nothing_is_pruned_for_a_path_that_is_not_there_or_files_that_cannot_be_read(run: Run, data: Data, files: Path):
    run("documents", "add", str(files), "--tenant", "acme")
    (files / "new.md").write_text("New.", encoding="utf-8")
    mistyped = run("documents", "add", str(files), str(files.parent / "handbok"), "--tenant", "acme", "--prune", code=1)
    assert "no file or folder" in mistyped.stderr
    assert "handbok" in mistyped.stderr
    run("documents", "add", str(files / "logo.png"), "--tenant", "acme", "--prune", code=1)
    assert [one["id"] for one in data("documents", "list", "--tenant", "acme")] == ["faq/cards.html", "refunds.md"]


def test_two_files_of_one_id_are_refused(run: Run, data: Data, files: Path):
    for name in ("faq", "policies"):
        (files / name).mkdir(exist_ok=True)
        (files / name / "index.md").write_text(f"The {name}.", encoding="utf-8")
    result = run("documents", "add", str(files / "faq"), str(files / "policies"), "--tenant", "acme", code=1)
    assert "would both be the document 'index.md'" in result.stderr
    assert data("documents", "list", "--tenant", "acme") == []
    added = data("documents", "add", str(files), str(files), "--tenant", "acme")
    assert "faq/index.md" in [one["id"] for one in added["added"]]


def test_a_document_of_another_source_is_left_to_it(run: Run, data: Data, files: Path):
    refunds = files / "refunds.md"
    data("documents", "add", str(refunds), "--tenant", "acme", "--source", "handbook")
    refunds.write_text("Never.", encoding="utf-8")
    result = run("documents", "add", str(files), "--tenant", "acme", code=1)
    assert "refunds.md' is one of the source 'handbook', not of 'files'" in " ".join(result.stderr.split())
    listed = data("documents", "list", "--tenant", "acme")
    assert [(one["id"], one["source"]) for one in listed] == [("faq/cards.html", "files"), ("refunds.md", "handbook")]
    assert data("documents", "show", "refunds.md", "--tenant", "acme")["passages"][0]["text"] == "Within five days."


def test_show_and_remove(run: Run, data: Data, files: Path):
    run("documents", "add", str(files), "--tenant", "acme")
    shown = data("documents", "show", "refunds.md", "--tenant", "acme")
    assert [(one["headings"], one["text"]) for one in shown["passages"]] == [(["Refunds"], "Within five days.")]
    assert "Within five days." in run("documents", "show", "refunds.md", "--tenant", "acme").stdout
    run("documents", "show", "refunds.md", "--tenant", "other", code=1)
    run("documents", "remove", "refunds.md", "--tenant", "other", code=1)
    assert data("documents", "remove", "refunds.md", "--tenant", "acme") == {"removed": ["refunds.md"]}
    run("documents", "show", "refunds.md", "--tenant", "acme", code=1)


def test_passages_without_vectors_are_encoded_later(data: Data, files: Path, monkeypatch: pytest.MonkeyPatch):
    from rejoinder.errors import ModelNotReadyError

    def without() -> None:
        raise ModelNotReadyError("no encoder here")

    monkeypatch.setattr("rejoinder.cli.documents.load_encoder", without)
    added = data("documents", "add", str(files), "--tenant", "acme")
    assert [one["encoded"] for one in added["added"]] == [0, 0]
    monkeypatch.setattr("rejoinder.cli.documents.load_encoder", HashEncoder)
    assert data("documents", "encode", "--tenant", "acme") == {"encoded": 2}
    assert data("documents", "encode", "--tenant", "acme") == {"encoded": 0}


def test_without_a_reader_it_is_told_how_one_is_trained(run: Run, data: Data, files: Path, folder: Path):
    told = run("documents", "reader", "--tenant", "acme").output
    assert "No reader serves" in told
    assert "rejoinder models adapt --tenant acme --task question_answering" in told
    line = next(one for one in told.splitlines() if one.lstrip().startswith("{"))
    pair = json.loads(line)
    pair |= {
        "text": "When?",
        "other": "Within five days.",
        "target": {"answers": [{"start": 7, "end": 16, "text": "five days"}]},
    }
    (folder / "pairs.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    run("learning", "import", "pairs.jsonl", "--tenant", "acme", "--no-fit")
    assert data("documents", "reader", "--tenant", "acme") == {"tenant": "acme", "reader": None, "examples": 1}
    assert data("documents", "reader", "--tenant", "other")["examples"] == 0

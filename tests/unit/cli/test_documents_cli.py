"""`rejoinder documents`: files in, bad ones named, gone ones pruned, nothing of another tenant's."""

from __future__ import annotations

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


def test_bad_files_are_named_and_the_rest_is_kept(run: Run, data: Data, files: Path):
    (files / "torn.pdf").write_bytes(b"%PDF-1.7")
    result = run(
        "documents", "add", str(files), str(files / "logo.png"), str(files / "gone.md"), "--tenant", "acme", code=1
    )
    assert "2 documents read" in result.stdout
    for name in ("torn.pdf: ", "logo.png: ", "gone.md: "):
        assert name in result.stderr
    assert len(data("documents", "list", "--tenant", "acme")) == 2


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

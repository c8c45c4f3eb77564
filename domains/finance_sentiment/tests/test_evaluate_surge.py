"""`rejoinder evaluate surge`, over files and through the command line."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.testing import check_plugin
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_finance_sentiment.surge.evaluate import evaluate_surge
from typer.testing import CliRunner

START = datetime(2026, 1, 5)  # noqa: DTZ001 - NAB's timestamps have no zone
ROWS = 1000
SURGE_ROW = 700
NAMES = ("news/acme.csv", "news/globex.csv", "quiet.csv")


def stamp(row: int) -> str:
    return str(START + timedelta(hours=row))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three series, one of them gzipped; the first two surge."""
    draw = np.random.default_rng(0)
    (tmp_path / "data" / "news").mkdir(parents=True)
    for name in NAMES:
        values = draw.poisson(8, ROWS)
        if name != "quiet.csv":
            values[SURGE_ROW : SURGE_ROW + 5] += 40
        text = "timestamp,value\n" + "".join(f"{stamp(row)},{value}\n" for row, value in enumerate(values))
        path = tmp_path / "data" / name
        if name == "news/globex.csv":
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    window = [f"{stamp(SURGE_ROW - 20)}.000000", f"{stamp(SURGE_ROW + 20)}.000000"]
    (tmp_path / "windows.json").write_text(
        json.dumps({"news/acme.csv": [window], "news/globex.csv": [window], "quiet.csv": []})
    )
    return tmp_path


def evaluate(files: Path, *more: str) -> tuple[Mapping[str, Any], Any]:
    report = files / "out" / "report.json"
    command = ["evaluate", "surge", "--series", str(files / "data"), "--windows", str(files / "windows.json")]
    done = CliRunner().invoke(app, [*command, "--report", str(report), "--seed", "3", *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(report.read_text()), done


def test_the_report_says_what_the_architecture_lays_down(files: Path) -> None:
    report, done = evaluate(files)

    assert report["windows_found"] == report["windows"] == 2
    for name in ("nab_standard", "nab_reward_low_fp_rate", "nab_reward_low_fn_rate"):
        assert 85 < report[name] <= 100
    assert report["median_delay"] in (20.0, 21.0)
    assert report["false_alarms_per_day"] < 0.05
    assert sorted(report["detections"]) == sorted(NAMES)
    assert stamp(SURGE_ROW) in report["detections"]["news/acme.csv"]
    assert report["seed"] == 3
    assert "nab standard" in done.stdout


def test_json_for_programs(files: Path) -> None:
    report, done = evaluate(files, "--json")

    assert json.loads(done.stdout) == report


def test_a_run_gives_the_same_again(files: Path) -> None:
    first, second = (evaluate_surge(files / "data", files / "windows.json").to_json() for _ in range(2))

    for name in ("seconds", "rows_per_second"):
        del first[name], second[name]
    assert first == second


def test_files_that_lack_the_other_half_are_named(files: Path) -> None:
    windows = json.loads((files / "windows.json").read_text())
    (files / "windows.json").write_text(json.dumps({**windows, "gone.csv": []}))
    (files / "data" / "extra.csv").write_text("timestamp,value\n2026-01-05 00:00:00,1\n")

    report, done = evaluate(files)

    assert (report["series"], report["without_windows"], report["without_rows"]) == (3, ["extra.csv"], ["gone.csv"])
    assert "1 series have no CSV file and are not scored, such as gone.csv" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data/quiet.csv", "timestamp,value\nyesterday,1\n", "quiet.csv, line 2: Invalid isoformat"),
        ("data/quiet.csv", "timestamp,value\n2026-01-05 00:00:00,many\n", "line 2: could not convert"),
        ("data/quiet.csv", "timestamp,value\n2026-01-05 00:00:00,nan\n", "line 2: the value nan is not finite"),
        ("data/quiet.csv", "timestamp,value\n2026-01-05 00:00:00\n", "line 2: "),
        ("data/quiet.csv", "time,value\n", "line 1: no column timestamp"),
        ("data/quiet.csv", "timestamp,value\n", "has no rows"),
        ("data/quiet.csv.gz", "", "twice, plain and gzipped"),
        ("windows.json", "[]", "expected a JSON object"),
        ("windows.json", '{"quiet.csv": [["2026-01-05"]]}', "expected a JSON object"),
        ("windows.json", '{"other.csv": []}', "none of the 3 series"),
        ("windows.json", '{"quiet.csv": [["2036-01-05", "2036-01-06"]]}', "no row lies in the window"),
    ],
)
def test_bad_files_are_named(files: Path, name: str, text: str, message: str) -> None:
    (files / name).write_text(text)

    with pytest.raises(InvalidInputError, match=message):
        evaluate_surge(files / "data", files / "windows.json")


def test_a_folder_that_is_none(files: Path) -> None:
    with pytest.raises(InvalidInputError, match="is no folder"):
        evaluate_surge(files / "windows.json", files / "windows.json")


def test_help_of_evaluate_lists_what_domains_bring() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--help"])

    assert "surge" in done.stdout
    assert "intent" in done.stdout


def test_a_kind_of_evaluate_is_no_command_of_its_own() -> None:
    assert CliRunner().invoke(app, ["surge"]).exit_code == 2


def test_the_plugin_keeps_the_contract() -> None:
    check_plugin(FinanceSentimentPlugin(), name="finance_sentiment")


@pytest.mark.slow
def test_nab_is_detected_as_wanted() -> None:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder or not Path(folder, "nab").is_dir():
        pytest.skip("REJOINDER_DATA does not name a folder with nab/")
    nab = Path(folder, "nab")

    report = evaluate_surge(nab / "data", nab / "labels" / "combined_windows_visible.json")

    assert report.series == 46
    assert report.nab_standard >= 72
    assert report.nab_reward_low_fp_rate >= 64
    assert report.nab_reward_low_fn_rate >= 76

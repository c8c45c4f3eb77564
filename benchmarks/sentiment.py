"""Sentiment of sentences, tweets, and of each company in a headline, with and without training on the other sets first.

    REJOINDER_DATA=<folder of data sets> python benchmarks/sentiment.py [phrasebank] [twitter] [entities] [--alone] [--seed 0] [--json OUT]

phrasebank: Financial PhraseBank 50Agree, a fifth of the sentences (by a hash) kept to test on; of the same model also what it makes of
those on which all annotators agree. twitter: the official validation split of Twitter Financial News Sentiment. entities: headlines of
SEntFiN with several companies, a fifth of them kept to test on; also those whose companies differ in sentiment.

Each is what `rejoinder evaluate sentiment --before ...` does: full fine-tuning, the other two sets first (`--alone`: none). What stands
in a test, in whichever subset, is learned from nowhere.

A task takes some ten minutes on one quiet core. With `--json` each is written when it is done, and a second run with the same options goes
on with those that are missing. How far training is goes to stderr.

Wanted: 50Agree at least 0.84 accuracy and 0.82 macro-F1, all agreeing 0.94; twitter 0.78 macro-F1; entities 0.78, differing 0.70.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rejoinder.learning.evaluate_sentiment import evaluate_sentiment
from rejoinder.learning.labelled_csv import read_labelled_csv
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.training.progress import Progress
from rejoinder_finance_sentiment.data_sets import Labelled, in_test, phrasebank, same_text, sentfin, twitter, write_csv

Rows = Sequence[Labelled]

EVERY = 50
"""Steps from one line about training to the next."""


def sets_of(folder: Path) -> dict[str, tuple[Rows, Rows]]:
    """What each task is trained on, and tested on."""
    sentences = phrasebank(folder / "financial_phrasebank")
    headlines = sentfin(folder / "sentfin_half" / "SEntFiN_half.csv.gz")
    companies = Counter(same_text(row.text) for row in headlines)
    tweets = folder / "twitter_fin_sentiment"
    tested = twitter(tweets / "sent_valid.csv.gz")
    known = {same_text(row.text) for row in tested}
    return {
        "phrasebank": kept_apart(sentences, lambda row: in_test(row.text)),
        "twitter": ([row for row in twitter(tweets / "sent_train.csv.gz") if same_text(row.text) not in known], tested),
        "entities": (
            [row for row in headlines if not in_test(row.text)],
            [row for row in headlines if in_test(row.text) and companies[same_text(row.text)] > 1],
        ),
    }


def kept_apart(rows: Rows, tested: Callable[[Labelled], bool]) -> tuple[Rows, Rows]:
    """Rows to train on and to test on."""
    return [row for row in rows if not tested(row)], [row for row in rows if tested(row)]


def columns(task: str, rows: Rows) -> Rows:
    """Rows as a file has them: of whole texts, none has an entity."""
    return rows if task == "entities" else [row._replace(entity="") for row in rows]


def done_before(path: Path | None, how: dict[str, Any]) -> dict[str, Any]:
    """Return the reports of tasks that an earlier run with the same options has written."""
    if path is None or not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    other = found.pop("options", None)
    if other != how:
        raise SystemExit(f"{path} was written with {other}, not {how}: name another file")
    return found


class Told:
    """Writes to stderr now and then how far a training is, and how long it will take."""

    def __init__(self, task: str) -> None:
        self.task, self.started, self.from_step, self.total = task, time.perf_counter(), 0, 0

    def __call__(self, progress: Progress) -> None:
        if progress.total != self.total:
            self.started, self.from_step, self.total = time.perf_counter(), progress.step, progress.total
        elif progress.step % EVERY == 0:
            pace = (time.perf_counter() - self.started) / (progress.step - self.from_step)
            left = pace * (progress.total - progress.step)
            sys.stderr.write(
                f"{self.task}: step {progress.step} of {progress.total}, loss {progress.loss:.3f}, {left:.0f} s to go\n"
            )


def main() -> int:
    """Train, test, print and write."""
    parser = argparse.ArgumentParser(description="Sentiment of sentences, tweets and companies.")
    parser.add_argument("tasks", nargs="*", choices=["phrasebank", "twitter", "entities", []], help="default: all")
    parser.add_argument("--data", type=Path, default=os.environ.get("REJOINDER_DATA"))
    parser.add_argument("--alone", action="store_true", help="train on no other set first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", default="full")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.data is None:
        parser.error("where are the data sets? set REJOINDER_DATA or give --data DIR")
    encoder = load_encoder()
    sets = sets_of(options.data)
    unanimous = {same_text(row.text) for row in phrasebank(options.data / "financial_phrasebank", "AllAgree")}
    how = {"seed": options.seed, "method": options.method, "alone": options.alone}
    found = done_before(options.json, how)
    for task in options.tasks or sets:
        if task in found:
            sys.stdout.write(f"{task:<12}is in {options.json}\n")
            continue
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{name}.csv" for name in (*sets, "test")}
            for name, (train, _) in sets.items():
                write_csv(files[name], columns(name, train))
            write_csv(files["test"], columns(task, sets[task][1]))
            parts = None
            if task == "phrasebank":
                texts = read_labelled_csv(files["test"]).texts
                parts = {"AllAgree": [row for row, text in enumerate(texts) if same_text(text) in unanimous]}
            report = evaluate_sentiment(
                files[task],
                files["test"],
                seed=options.seed,
                encoder=encoder,
                method=options.method,
                progress=Told(task),
                before=() if options.alone else [files[name] for name in sets if name != task],
                parts=parts,
            )
        found[task] = report.to_json()
        shown = "  ".join(f"{name} {part['accuracy']:.3f} ({part['rows']})" for name, part in report.parts.items())
        sys.stdout.write(
            f"{task:<12}seed {options.seed}  accuracy {report.accuracy:.3f}  macro-F1 {report.macro_f1:.3f}  ECE {report.ece:.3f}  "
            f"{report.train_seconds:.0f} s  {shown}\n"
        )
        sys.stdout.flush()
        if options.json is not None:
            options.json.write_text(json.dumps({"options": how, **found}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

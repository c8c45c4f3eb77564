"""Rebuild the headlines that the finance sentiment domain ships, from the public data set that they were taken from.

    REJOINDER_DATA=FOLDER python domains/finance_sentiment/tools/build_data.py [--check]

Reads `sentfin_half/` under the folder named by `REJOINDER_DATA` and writes `data/sentfin/train.csv` and `regression.csv` (header
`text,label,entity`). Of a headline with several companies there is a row for each; one with a single company is a row without an entity,
since such texts are read as a whole. Headlines are drawn by a hash of their text; those that `in_test` keeps to test on go into the
regression set only, so that what learned from the shipped rows can be tested on the other ones of them.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rejoinder_finance_sentiment.data_sets import Labelled, in_test, same_text, sentfin, write_csv

DATA = Path(__file__).resolve().parents[1] / "rejoinder_finance_sentiment" / "data" / "sentfin"
TRAIN, REGRESSION = 3000, 600


def drawn(rows: Sequence[Labelled], most: int) -> list[Labelled]:
    """Return rows of headlines in the order of a hash, at most so many."""
    of_text: defaultdict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        of_text[same_text(row.text)].append(row)
    found: list[Labelled] = []
    for key in sorted(of_text, key=lambda key: hashlib.sha256(key.encode()).hexdigest()):
        own = of_text[key]
        found += own if len(own) > 1 else [own[0]._replace(entity="")]
    return found[:most]


def build(source: Path) -> dict[str, list[Labelled]]:
    """Return the rows of each file."""
    rows = sentfin(source / "sentfin_half" / "SEntFiN_half.csv.gz")
    return {
        "train.csv": drawn([row for row in rows if not in_test(row.text)], TRAIN),
        "regression.csv": drawn([row for row in rows if in_test(row.text)], REGRESSION),
    }


def main() -> int:
    """Write the files, or with `--check` say whether they would change."""
    parser = argparse.ArgumentParser(description="Rebuild the finance sentiment domain's csv files.")
    parser.add_argument("--data", type=Path, help="folder of the source data sets (default: $REJOINDER_DATA)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    options = parser.parse_args()
    source = options.data or (Path(os.environ["REJOINDER_DATA"]) if os.environ.get("REJOINDER_DATA") else None)
    if source is None:
        parser.error(
            "where are the data sets? set REJOINDER_DATA or give --data DIR (the folder that holds sentfin_half/)"
        )
    changed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in build(source).items():
            made, kept = Path(folder) / name, DATA / name
            write_csv(made, rows)
            if kept.is_file() and kept.read_bytes() == made.read_bytes():
                continue
            changed = True
            sys.stdout.write(f"{kept} {'would change' if options.check else f'written: {len(rows)} rows'}\n")
            if not options.check:
                kept.write_bytes(made.read_bytes())
    return 1 if changed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

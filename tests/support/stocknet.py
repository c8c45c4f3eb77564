"""Tweets of stocknet as a file that a replay reads; the data set is not ours to ship."""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

_CASHTAG = re.compile(r"\$ ([a-z]{1,5})\b")


def write_tweets(path: Path, tickers: Sequence[str], first: str, end: str) -> int:
    """Write the tweets about some companies, dated from day `first` to before day `end`, as CSV; return how many.

    Its authors parted cashtags: `$ aapl` becomes `$AAPL` again.
    """
    folder = Path(os.environ.get("REJOINDER_DATA", "nowhere")) / "stocknet" / "tweets"
    if not folder.is_dir():
        pytest.skip("set REJOINDER_DATA to the folder that holds stocknet/")
    rows = []
    for ticker in tickers:
        with gzip.open(folder / f"{ticker}.tsv.gz", "rt", encoding="utf-8") as file:
            parts = [line.rstrip("\n").split("\t") for line in file][1:]
        kept = (part for part in parts if len(part) == 3 and first <= part[0] < end)
        rows += [(at, _CASHTAG.sub(lambda found: f"${found[1].upper()}", text)) for _, at, text in kept]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("at", "text"), *rows])
    return len(rows)

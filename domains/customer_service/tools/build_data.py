"""Rebuild the utterances that the customer service domain ships, from the public data sets they were taken from.

    REJOINDER_DATA=FOLDER python domains/customer_service/tools/build_data.py [--check] [--out DIR]

Reads `banking77/` and `bitext_support/` under the folder named by `REJOINDER_DATA` (or `--data`) and writes
`banking77/train.csv` and `bitext/train.csv` (header `text,label`), and beside each a `regression.csv` of other rows of the same
split: what a new model must not answer worse than the one before. The choice depends on nothing but the source texts
and the seed, so the same sources give the same bytes on every machine. Only the official train splits are shipped to
learn from, and a text that also stands in a dev or test split is left out, so that evaluation files stay unseen.

For `rejoinder demo` it writes `banking77/demo_stream.csv`, what customers ask and correct (official train, nothing of
`train.csv`), and `banking77/demo_test.csv`, what is asked before and after (official test; nothing learns from it).

The answers (`answers.json`) are written by hand and not touched.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "rejoinder_customer_service" / "data"
SEED = 77
BANKING77_PER_INTENT = 20
BITEXT_PER_INTENT = 40
REGRESSION_PER_INTENT = {"banking77": 10, "bitext": 30}
"""Some 800 rows each: what it takes to rule out a loss of three points."""
DEMO_STREAM = 3000
DEMO_TEST = 900
MAX_CHARS = 200
"""Longer messages are whole stories: few, and they would fill a third of the file."""

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 1.0)
"""How many words two chosen texts may share: the strictest first, looser ones only while the intent is not full."""

COARSE = frozenset({"bloody", "damn", "fuck", "fucking", "goddamn", "hell", "shit"})
"""Words that a tenant would not want among the utterances its console shows."""


class BuildError(Exception):
    """The sources are missing or not what this script expects; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled utterance; `masked` is the text with its ids, names and amounts replaced by a dot."""

    text: str
    label: str
    masked: str


def clean(text: str) -> str:
    """One line, single spaces, no stray newlines or dots left alone at the end."""
    return re.sub(r" \.$", "", " ".join(text.split()))


def key(text: str) -> str:
    """What is left of a text when case, spaces and punctuation do not count: equal keys are the same text."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def words(text: str) -> frozenset[str]:
    return frozenset(key(text).split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared words over all words (Jaccard), 0 to 1."""
    return len(one & other) / len(one | other) if one or other else 1.0


def pick(rows: Iterable[Row], limit: int, seed: int) -> list[Row]:
    """At most `limit` rows, in an order fixed by the seed, avoiding those nearly the same as one already chosen.

    The first k of the result are a fair sample too, so a tenant may take fewer.
    """

    distinct: dict[str, Row] = {}
    for row in shuffled(rows, seed):
        distinct.setdefault(key(row.masked), row)
    chosen: list[Row] = []
    bags: list[frozenset[str]] = []
    left = list(distinct.values())
    for most in OVERLAPS:
        later: list[Row] = []
        for row in left:
            bag = words(row.masked)
            if len(chosen) < limit and all(overlap(bag, other) <= most for other in bags):
                chosen.append(row)
                bags.append(bag)
            else:
                later.append(row)
        left = later
    return chosen


def shuffled(rows: Iterable[Row], seed: int) -> list[Row]:
    """The rows in an order that only their texts and the seed decide."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{seed}\n{row.text}".encode()).hexdigest())


def usable(rows: Iterable[Row], unseen: Iterable[str]) -> Iterator[Row]:
    """Rows fit to ship: of a sensible length, not coarse, and in none of the `unseen` texts."""
    hidden = {key(text) for text in unseen}
    for row in rows:
        if 0 < len(row.text) <= MAX_CHARS and key(row.text) not in hidden and not words(row.text) & COARSE:
            yield row


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file (gzipped or not) that has at least these columns."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except FileNotFoundError:
        raise BuildError(f"{path} is missing: does --data (or REJOINDER_DATA) name the right folder?") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BuildError(f"{path} cannot be read ({error}): copy it again from its source") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise BuildError(f"{path} has columns {reader.fieldnames}, expected also {missing}: is it another release?")
    rows = list(reader)
    for number, row in enumerate(rows, start=1):
        if any(not isinstance(row[name], str) for name in columns):
            raise BuildError(f"{path}: row {number} is cut short, expected the columns {list(columns)}")
    return rows


def banking77(source: Path, seed: int) -> list[Row]:
    train = read_csv(source / "banking77" / "train.csv.gz", ("text", "category"))
    test = read_csv(source / "banking77" / "test.csv.gz", ("text", "category"))
    texts = [(clean(row["text"]), row["category"]) for row in train]
    rows = usable((Row(text, label, text) for text, label in texts), (row["text"] for row in test))
    return by_label(rows, answered("banking77"), BANKING77_PER_INTENT, seed)


def demo_stream(source: Path, seed: int) -> list[Row]:
    train = read_csv(source / "banking77" / "train.csv.gz", ("text", "category"))
    test = read_csv(source / "banking77" / "test.csv.gz", ("text", "category"))
    unseen = [*(row.text for row in banking77(source, seed)), *(row["text"] for row in test)]
    texts = [(clean(row["text"]), row["category"]) for row in train]
    return shuffled(usable((Row(text, label, text) for text, label in texts), unseen), seed)[:DEMO_STREAM]


def banking77_regression(source: Path, seed: int) -> list[Row]:
    train = read_csv(source / "banking77" / "train.csv.gz", ("text", "category"))
    test = read_csv(source / "banking77" / "test.csv.gz", ("text", "category"))
    shipped = [*banking77(source, seed), *demo_stream(source, seed)]
    unseen = [*(row.text for row in shipped), *(row["text"] for row in test)]
    texts = [(clean(row["text"]), row["category"]) for row in train]
    rows = usable((Row(text, label, text) for text, label in texts), unseen)
    return by_label(rows, answered("banking77"), REGRESSION_PER_INTENT["banking77"], seed)


def demo_test(source: Path, seed: int) -> list[Row]:
    test = read_csv(source / "banking77" / "test.csv.gz", ("text", "category"))
    rows = (Row(clean(row["text"]), row["category"], row["text"]) for row in test)
    return shuffled(rows, seed)[:DEMO_TEST]


def bitext(source: Path, seed: int) -> list[Row]:
    return by_label(bitext_rows(source, ()), answered("bitext"), BITEXT_PER_INTENT, seed)


def bitext_regression(source: Path, seed: int) -> list[Row]:
    rows = bitext_rows(source, [row.text for row in bitext(source, seed)])
    return by_label(rows, answered("bitext"), REGRESSION_PER_INTENT["bitext"], seed)


def bitext_rows(source: Path, shipped: Sequence[str]) -> Iterator[Row]:
    """The train utterances that may be shipped, and are not in `shipped`."""
    columns = ("utterance", "intent", "entity_value", "tags")
    folder = source / "bitext_support"
    train = read_csv(folder / "intent_train.csv.gz", columns)
    unseen = [row for name in ("dev", "test") for row in read_csv(folder / f"intent_{name}.csv", columns)]
    rows = []
    for row in train:
        if "W" in row["tags"]:  # the set's own mark for offensive language
            continue
        text, value = clean(row["utterance"]), row["entity_value"].strip()
        masked = text.replace(value, "·") if value else text
        rows.append(Row(text, row["intent"], re.sub(r"\d+", "·", masked)))
    return usable(rows, [*(row["utterance"] for row in unseen), *shipped])


def answered(name: str) -> list[str]:
    """The intents that have an answer: every one of them must come with utterances, and no other may."""
    path = DATA / name / "answers.json"
    try:
        return sorted(entry["intent"] for entry in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path} cannot be used ({error!r}): restore it from version control") from error


def by_label(rows: Iterable[Row], labels: Sequence[str], limit: int, seed: int) -> list[Row]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.label, []).append(row)
    if wrong := sorted(set(groups) ^ set(labels)):
        raise BuildError(f"intents with utterances and intents with an answer differ: {', '.join(wrong)}")
    return [row for label in sorted(groups) for row in pick(groups[label], limit, seed)]


def to_csv(rows: Iterable[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows((row.text, row.label) for row in rows)
    return out.getvalue().encode()


BUILDERS: dict[str, Callable[[Path, int], list[Row]]] = {
    "banking77/train.csv": banking77,
    "banking77/regression.csv": banking77_regression,
    "banking77/demo_stream.csv": demo_stream,
    "banking77/demo_test.csv": demo_test,
    "bitext/train.csv": bitext,
    "bitext/regression.csv": bitext_regression,
}


def build(source: Path, seed: int = SEED) -> dict[str, bytes]:
    """Relative file name to content, of everything that is generated."""
    if not source.is_dir():
        raise BuildError(f"{source} is no folder: set REJOINDER_DATA (or --data) to the folder that holds banking77/")
    return {name: to_csv(make(source, seed)) for name, make in BUILDERS.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Rebuild the customer service domain's csv files.")
    parser.add_argument("--data", type=Path, help="folder of the source data sets (default: $REJOINDER_DATA)")
    parser.add_argument("--out", type=Path, default=DATA, help="where to write (default: the domain's data folder)")
    parser.add_argument(
        "--seed", type=int, default=SEED, help="other seeds choose other examples (default: %(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    options = parser.parse_args(argv)
    source = options.data or (Path(os.environ["REJOINDER_DATA"]) if os.environ.get("REJOINDER_DATA") else None)
    if source is None:
        parser.error(
            "where are the data sets? set REJOINDER_DATA or give --data DIR (the folder that holds banking77/)"
        )
    try:
        files = build(source, options.seed)
    except BuildError as error:
        parser.exit(1, f"build_data: {error}\n")
    changed = [name for name, content in files.items() if not same(options.out / name, content)]
    if options.check:
        for name in changed:
            sys.stderr.write(f"build_data: {options.out / name} is not what the sources give: run without --check\n")
        return 1 if changed else 0
    for name, content in files.items():
        target: Path = options.out / name
        if name in changed:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            part.write_bytes(content)
            part.replace(target)
        sys.stdout.write(f"{target}: {len(content):,} bytes, {'written' if name in changed else 'unchanged'}\n")
    return 0


def same(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


if __name__ == "__main__":
    sys.exit(main())

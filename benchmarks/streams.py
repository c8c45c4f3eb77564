"""Learning from a stream of messages: ours against river and vowpalwabbit, rounds small and large, and domain after domain.

    REJOINDER_DATA=<folder of data sets> python benchmarks/streams.py [--part stream|rounds|domains ...] [--seeds 0 1 2]
        [--feedback correction|binary ...] [--messages N] [--json OUT]

stream: banking77, 10 examples a label to start with, the rest of the train split in random order, asked on the official test at every
quarter and after 3,000 messages, with corrections and with one bit on the answer given. Ours is `rejoinder simulate` with the strategy
"both". The others read the same vectors of the same encoder, begin with the same examples, and hear the same of each message: with
corrections its label; with bits whether their own answer was right. Of several settings of one library the best is shown at each quarter.

- river: multinomial logistic regression by gradient descent (corrections); a logistic regression for each label, of which the one that
  answered learns the bit (bits).
- vowpalwabbit: `--oaa` (corrections); `--csoaa`, told the cost of the label that was answered, and `--cb --cb_type dm`, the greedy
  contextual bandit (bits). At the start all labels' costs are told.

rounds: the same stream with bits, learned in many small rounds or in one: the model in service decides which answers people judge.

domains: clinc150's ten domains, one after another. Each round fits on its domain's examples and on what `rejoinder.learning.replay`
rehearses of those before; at the end all are asked, against a fit on everything at once.

Wanted: with corrections at least 0.93 at the end, and after 3,000 messages 0.78 of the way from the start to full supervision by the same
method; with bits at least 0.89; ahead of both libraries at every quarter; small rounds better than one; domains at least 0.92 of joint.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rejoinder.learning.labelled_csv import read_labelled_csv
from rejoinder.learning.replay import replayed
from rejoinder.learning.simulate import FeedbackMode, Strategy, simulate
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

Floats = NDArray[np.float32]

SHOTS = 10
EARLY = 3000
QUARTERS = 4
REHEARSED_EACH = 20
SMALL_ROUND = 100


def data_folder() -> Path:
    """Return the folder of data sets."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/ and clinc150/")
        sys.exit(0)
    return Path(folder)


class Cached:
    """An encoder that encodes each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.hash, self.dim = encoder.name, encoder.hash, encoder.dim
        self._known: dict[str, Floats] = {}

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) vectors."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


# --- a stream ------------------------------------------------------------------------------------------------------


def write_stream(folder: Path, seed: int, messages: int | None) -> tuple[Path, Path, Path]:
    """Write banking77 as three files: what is known at the start, the stream (its first `messages`), and the test."""
    rows = {}
    for split in ("train", "test"):
        path = data_folder() / "banking77" / f"{split}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows[split] = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    start: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    counts: dict[str, int] = {}
    for place in np.random.default_rng(seed).permutation(len(rows["train"])):
        text, label = rows["train"][place]
        counts[label] = counts.get(label, 0) + 1
        (start if counts[label] <= SHOTS else rest).append((text, label))
    paths = []
    for name, part in (("start", start), ("stream", rest[:messages]), ("test", rows["test"])):
        paths.append(folder / f"{name}-{seed}.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *part])
    return paths[0], paths[1], paths[2]


class Online(Protocol):
    """One online learner; labels are columns."""

    def learn(self, x: Floats, column: int) -> None:
        """Hear a label."""

    def judge(self, x: Floats, column: int, *, good: bool) -> None:
        """Hear whether the label said was right."""

    def answer(self, x: Floats) -> int:
        """Say a label."""


class River:
    """river's logistic regressions. What they say is read off their weights, since that is all that their predictions are made of."""

    def __init__(self, columns: int, dim: int, rate: float, *, bits: bool) -> None:
        from river import linear_model, optim

        self._softmax: Any = None if bits else linear_model.SoftmaxRegression(optimizer=optim.SGD(rate), l2=0)
        self._models = [
            linear_model.LogisticRegression(optimizer=optim.SGD(rate)) for _ in range(columns if bits else 0)
        ]
        self._weights = np.zeros((columns, dim + 1), dtype=np.float32)
        self._stale: set[int] = set()

    def learn(self, x: Floats, column: int) -> None:
        """Learn one label, and of each other that it is not."""
        said = _as_dict(x)
        if self._softmax is not None:
            self._softmax.learn_one(said, column)
        for other, model in enumerate(self._models):
            model.learn_one(said, other == column)
        self._stale.update(range(len(self._weights)))

    def judge(self, x: Floats, column: int, *, good: bool) -> None:
        """Let the model that answered learn."""
        self._models[column].learn_one(_as_dict(x), good)
        self._stale.add(column)

    def answer(self, x: Floats) -> int:
        """Return the likeliest column."""
        for column in self._stale:
            self._read(column)
        self._stale.clear()
        return int((self._weights[:, :-1] @ x + self._weights[:, -1]).argmax())

    def _read(self, column: int) -> None:
        weights = self._models[column].weights if self._softmax is None else self._softmax.weights[column]
        for place, weight in weights.items():
            self._weights[column, place] = weight
        if self._softmax is None:
            self._weights[column, -1] = self._models[column].intercept


class Wabbit:
    """vowpalwabbit with given options."""

    def __init__(self, columns: int, options: str) -> None:
        from vowpalwabbit import Workspace

        self._columns, self._bandit = columns, "--cb " in options
        self._costs = self._bandit or "--csoaa" in options
        self._model: Any = Workspace(f"{options} -b 20 --quiet")

    def learn(self, x: Floats, column: int) -> None:
        """Learn one label, or the costs of all."""
        if not self._costs:
            self._model.learn(f"{column + 1} {_as_line(x)}")
        elif self._bandit:
            for other in range(self._columns):
                self.judge(x, other, good=other == column)
        else:
            costs = " ".join(f"{other + 1}:{int(other != column)}" for other in range(self._columns))
            self._model.learn(f"{costs} {_as_line(x)}")

    def judge(self, x: Floats, column: int, *, good: bool) -> None:
        """Learn the cost of the label that was answered; a greedy policy gives its answers with probability 1."""
        cost = f"{column + 1}:{int(not good)}" + (":1" if self._bandit else "")
        self._model.learn(f"{cost} {_as_line(x)}")

    def answer(self, x: Floats) -> int:
        """Return the column that it would choose."""
        return int(self._model.predict(_as_line(x))) - 1


def _as_dict(x: Floats) -> dict[int, float]:
    return dict(enumerate(x.tolist()))


def _as_line(x: Floats) -> str:
    return "| " + " ".join(f"{place}:{value:.5f}" for place, value in enumerate(x.tolist()))


def rivals(columns: int, dim: int, *, bits: bool) -> dict[str, list[Callable[[], Online]]]:
    """Return the settings of each library."""
    if bits:
        lines = [f"--csoaa {columns} -l {rate}" for rate in (0.5, 2)] + [f"--cb {columns} --cb_type dm -l 0.5"]
    else:
        lines = [f"--oaa {columns} --loss_function logistic -l 2", f"--oaa {columns} -l 0.5"]
    return {
        "river": [partial(River, columns, dim, rate, bits=bits) for rate in ((1.0, 5.0) if bits else (1.0,))],
        "vowpalwabbit": [partial(Wabbit, columns, line) for line in lines],
    }


def replay_rival(
    make: Callable[[], Online],
    parts: Sequence[tuple[Floats, NDArray[np.intp]]],
    ends: Sequence[int],
    *,
    bits: bool,
) -> list[float]:
    """Return the accuracy on the test at the start and at each of `ends`; `parts` are start, stream and test."""
    (known, known_columns), (stream, columns), (test, truth) = parts
    model = make()

    def accuracy() -> float:
        return float(np.mean([model.answer(x) == column for x, column in zip(test, truth, strict=True)]))

    for x, column in zip(known, known_columns, strict=True):
        model.learn(x, int(column))
    found, seen = [accuracy()], 0
    for end in ends:
        for x, column in zip(stream[seen:end], columns[seen:end], strict=True):
            if bits:
                said = model.answer(x)
                model.judge(x, said, good=said == column)
            else:
                model.learn(x, int(column))
        found.append(accuracy())
        seen = end
    return found


def run_stream(
    encoder: Cached,
    folder: Path,
    seed: int,
    *,
    against: Iterable[str],
    feedbacks: Iterable[FeedbackMode],
    messages: int | None,
) -> tuple[dict[str, Any], list[str]]:
    """Measure ours and theirs on one stream; return the figures and what missed."""
    paths = write_stream(folder, seed, messages)
    texts = [read_labelled_csv(path) for path in paths]
    labels = sorted(set(texts[0].labels))
    parts = [(encoder.encode(one.texts), np.array([labels.index(label) for label in one.labels])) for one in texts]
    total = len(texts[1].texts)
    quarters = [round(total * (part + 1) / QUARTERS) for part in range(QUARTERS)]
    ends = sorted({*quarters, min(EARLY, total)})
    found: dict[str, Any] = {"seed": seed, "ends": [0, *ends]}
    missed = []
    for feedback in feedbacks:
        ours = our_curves(encoder, paths, feedback, ("static", "both"), ends, seed)
        curves = {"static": ours["static"], "ours": ours["both"]}
        for name, settings in rivals(len(labels), encoder.dim, bits=feedback == "binary").items():
            if name in against:
                tried = [replay_rival(make, parts, ends, bits=feedback == "binary") for make in settings]
                curves[name] = np.max(tried, axis=0).tolist()
        found[feedback] = curves
        for name, curve in curves.items():
            print(f"seed {seed} {feedback:>10} {name:>12} " + " ".join(f"{share:.4f}" for share in curve), flush=True)
            behind = [end for end, a, b in zip(ends, curves["ours"][1:], curve[1:], strict=True) if a <= b]
            if name not in ("static", "ours") and set(behind) & set(quarters):
                missed.append(f"{feedback}, seed {seed}: not ahead of {name} at {behind}")
    if "binary" in found:
        last = found["binary"]["ours"][-1]
        missed += [f"seed {seed}: bits end at {last:.4f}"] if last < 0.89 else []
    if "correction" not in found:
        return found, missed
    full = our_curves(encoder, paths, "correction", ("retrain",), [total], seed)["retrain"][-1]
    ours, start = found["correction"]["ours"], found["correction"]["static"][0]
    way = (ours[1 + ends.index(min(EARLY, total))] - start) / (full - start)
    print(
        f"seed {seed}: full supervision {full:.4f}; after {min(EARLY, total)} messages {way:.3f} of the way", flush=True
    )
    missed += [f"seed {seed}: way {way:.3f}"] if way < 0.78 else []
    missed += [f"seed {seed}: corrections end at {ours[-1]:.4f}"] if ours[-1] < 0.93 else []
    return found | {"full": full, "way": way}, missed


def our_curves(
    encoder: Cached,
    paths: tuple[Path, Path, Path],
    feedback: FeedbackMode,
    strategies: Sequence[Strategy],
    ends: Sequence[int],
    seed: int,
    **more: Any,
) -> dict[str, list[float]]:
    """Return each strategy's accuracy on the test at the start and at `ends`."""
    report = simulate(
        *paths, encoder=encoder, feedback=feedback, strategies=strategies, checkpoints=ends, seed=seed, **more
    )
    return {
        name: [curve.start_accuracy, *(window.test_accuracy for window in curve.windows)]
        for name, curve in report.strategies.items()
    }


# --- rounds --------------------------------------------------------------------------------------------------------


def run_rounds(encoder: Cached, folder: Path, seed: int, *, messages: int | None) -> tuple[dict[str, Any], list[str]]:
    """Compare small rounds with one large one on the same messages, with bits."""
    paths = write_stream(folder, seed, messages)
    total = len(read_labelled_csv(paths[1]).texts)
    found: dict[str, Any] = {"seed": seed}
    for name, every in (("small", SMALL_ROUND), ("one", total)):
        found[name] = our_curves(encoder, paths, "binary", ("worker",), [total], seed, worker_every=every)["worker"][-1]
    print(f"seed {seed}: bits in small rounds {found['small']:.4f}, in one {found['one']:.4f}", flush=True)
    return found, [] if found["small"] > found["one"] else [f"rounds, seed {seed}"]


# --- domains -------------------------------------------------------------------------------------------------------


def run_domains(encoder: Cached, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Learn clinc150's domains one after another, with and without rehearsal, and all at once."""
    folder = data_folder() / "clinc150"
    domains = json.loads((folder / "domains.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
    order = np.random.default_rng(seed).permutation(sorted(domains)).tolist()
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    taught = [
        Example(
            id=f"{label}-{number}",
            task="intent",
            text=text,
            label=label,
            at=begin + timedelta(days=order.index(domain_of[label])),
        )
        for number, (text, label) in enumerate(splits["train"])
    ]
    taught.sort(key=lambda one: (one.at or begin, one.id))

    def accuracy(examples: Sequence[Example]) -> float:
        model = TextClassifier()
        model.fit(examples, encoder.encode([one.text for one in examples]), seed=seed)
        asked = [text for text, _ in splits["test"]]
        said = model.predict_batch(asked, encoder.encode(asked))
        return float(np.mean([one.label == label for one, (_, label) in zip(said, splits["test"], strict=True)]))

    def in_turn(limit: int) -> list[float]:
        kept: Sequence[Example] = []
        curve = []
        for day in range(len(order)):
            new = [one for one in taught if one.at == begin + timedelta(days=day)]
            kept = replayed([*kept, *new], since=begin + timedelta(days=day - 1), limit=limit, seed=seed).examples
            curve.append(accuracy(kept))
        return curve

    joint = accuracy(taught)
    with_replay, without = in_turn(REHEARSED_EACH * len(domain_of)), in_turn(0)
    found = {"seed": seed, "joint": joint, "with_replay": with_replay, "without": without}
    print(
        f"seed {seed}: domain by domain {with_replay[-1]:.4f} with rehearsal ({with_replay[-1] / joint:.3f} of joint "
        f"{joint:.4f}), {without[-1]:.4f} ({without[-1] / joint:.3f}) without",
        flush=True,
    )
    return found, [] if with_replay[-1] >= 0.92 * joint else [f"domains, seed {seed}"]


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--part", nargs="+", choices=("stream", "rounds", "domains"))
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--against", nargs="*", default=["river", "vowpalwabbit"])
    options.add_argument("--feedback", nargs="+", choices=("correction", "binary"), default=["correction", "binary"])
    options.add_argument("--messages", type=int, help="most messages of a stream; all where it is not said")
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    data_folder()
    started = time.perf_counter()
    encoder = Cached(load_encoder("default", threads=os.cpu_count() or 1))
    report: dict[str, list[Any]] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in asked.part or ("stream", "rounds", "domains"):
            for seed in asked.seeds:
                if part == "stream":
                    found, short = run_stream(
                        encoder,
                        Path(folder),
                        seed,
                        against=asked.against,
                        feedbacks=asked.feedback,
                        messages=asked.messages,
                    )
                elif part == "rounds":
                    found, short = run_rounds(encoder, Path(folder), seed, messages=asked.messages)
                else:
                    found, short = run_domains(encoder, seed)
                report.setdefault(part, []).append(found)
                missed += short
    print(f"{time.perf_counter() - started:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps({**report, "missed": missed}, indent=2) + "\n", encoding="utf-8")
    print("missed: " + "; ".join(missed) if missed else "all as wanted")


if __name__ == "__main__":
    main()

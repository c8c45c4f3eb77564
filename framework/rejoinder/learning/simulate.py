"""`rejoinder simulate`: replay a labelled stream as users who give feedback, and watch each way of learning."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from rejoinder.errors import InvalidInputError, did_you_mean
from rejoinder.learning.holdback import DEFAULT_EVERY
from rejoinder.learning.labelled_csv import LabelledTexts, read_labelled_csv
from rejoinder.learning.strategies import Bot, Stream, make_bot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.models.encoding.service import TextEncoder

    Floats = NDArray[np.float32]

FeedbackMode = Literal["correction", "binary", "none"]
Strategy = Literal["static", "instant", "worker", "both", "retrain"]
Drift = Literal["new-classes", "shift"]

_NEW_SHARE: Final = 1 / 3
_SHIFT_PURITY: Final = 0.9
_MOVED_SHARE: Final = 1 / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`seen`: messages answered up to its end; `accuracy`: of the answers given in it; `test_accuracy`: on the fixed test at its end."""

    seen: int
    accuracy: float
    test_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How one strategy fared.

    Attributes:
        start_accuracy: on the test, before the stream.
        final_accuracy: on the test, after it.
        cumulative_regret: wrong answers given on the stream, where one that knows all gives none.
        seconds: for all of it, encoding left out.
    """

    start_accuracy: float
    final_accuracy: float
    windows: tuple[Window, ...]
    cumulative_regret: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """Curves by strategy, and what they were made with."""

    strategies: Mapping[str, Curve]
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say, field by field."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the report as JSON; the folder is made if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def simulate(
    train_csv: Path | str,
    stream_csv: Path | str,
    test_csv: Path | str,
    *,
    encoder: TextEncoder,
    feedback: FeedbackMode = "correction",
    noise: float = 0.0,
    strategies: Sequence[Strategy] = ("static", "instant", "worker", "both", "retrain"),
    limit: int | None = None,
    drift: Drift | None = None,
    checkpoints: int | Sequence[int] = 10,
    worker_every: int = 100,
    hold_back_every: int = DEFAULT_EVERY,
    seed: int = 0,
) -> SimulationReport:
    """Replay a stream under each strategy.

    Args:
        train_csv: what the bot knows at the start (`text,label`).
        stream_csv: what arrives, in order; its labels are known to the simulated user only.
        test_csv: asked at every checkpoint, never learned from.
        encoder: what makes vectors of texts.
        feedback: "correction": a user says whether the answer was right, and where it was not the right label; "binary": one bit on the
            answer given, nothing more; "none".
        noise: probability in [0, 1] that a user is mistaken, taking another label of the stream for the right one.
        strategies: "static" never learns; "instant" learns from each feedback before the next message; "worker" fits anew after every
            `worker_every` feedbacks, or 3 % of what it knows where that is more; "both" does both; "retrain" fits anew at every
            checkpoint with the true labels of all messages up to then, the most that feedback could give.
        limit: most messages of the stream, >= 1.
        drift: "new-classes": a third of the labels is unknown at the start and arrives in the second half; "shift": half of the labels
            makes up nine tenths of the first half and a tenth of the second, and from the second half on a quarter of the labels means
            something else: what was said of one of them is right for the next one, in the test as well.
        checkpoints: how many windows, >= 1; or the numbers of messages, >= 1, after which windows end, beside the last.
        worker_every: feedbacks between two fits of a worker, >= 1.
        hold_back_every: about one text in so many never enters a model that learns from feedback; 0 keeps none back.
        seed: fixes noise, drift and fits.

    Raises:
        InvalidInputError: a file or argument cannot be used; the message names it and the choices.
    """
    _check(feedback, noise, strategies, limit, drift, checkpoints, worker_every)
    train, stream, test = (read_labelled_csv(path) for path in (train_csv, stream_csv, test_csv))
    rng = np.random.default_rng(seed)
    if limit is not None:
        stream = stream.take(range(min(limit, len(stream.texts))))
    train, stream, later_test, turn = _drifted(train, stream, test, drift, rng)
    beliefs = _beliefs(stream.labels, noise, rng)
    vectors = {
        kind: encoder.encode(texts.texts) for kind, texts in (("train", train), ("stream", stream), ("test", test))
    }
    ends = _ends(len(stream.texts), checkpoints)
    curves: dict[str, Curve] = {}
    for name in dict.fromkeys(strategies):
        started = time.perf_counter()
        bot = make_bot(
            name,
            Stream(train.texts, train.labels, vectors["train"]),
            encoder=encoder,
            worker_every=worker_every,
            hold_back_every=hold_back_every,
            seed=seed,
        )
        curves[name] = _replay(bot, stream, beliefs, (test, later_test), turn, vectors, feedback, ends, started)
    settings = {
        "feedback": feedback,
        "noise": noise,
        "limit": limit,
        "drift": drift,
        "checkpoints": ends,
        "worker_every": worker_every,
        "hold_back_every": hold_back_every,
        "seed": seed,
        "encoder": f"{encoder.name}@{encoder.hash}",
    }
    data = {
        name: {"file": texts.path.name, "sha256": texts.sha256, "rows": len(texts.texts)}
        for name, texts in (("train", train), ("stream", stream), ("test", test))
    }
    return SimulationReport(strategies=curves, settings=settings, data=data)


def write_curves_png(report: SimulationReport, path: Path) -> None:
    """Draw accuracy on the test (lines) and of the answers given (dots) over the messages seen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, curve in report.strategies.items():
        seen = [0, *(window.seen for window in curve.windows)]
        line = axes.plot(
            seen,
            [curve.start_accuracy, *(window.test_accuracy for window in curve.windows)],
            marker="o",
            ms=3,
            label=name,
        )
        given = [window.accuracy for window in curve.windows]
        axes.plot(seen[1:], given, ls="none", marker=".", alpha=0.4, color=line[0].get_color())
    axes.set_xlabel("messages seen")
    axes.set_ylabel("accuracy (line: fixed test; dots: answers given)")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _replay(
    bot: Bot,
    stream: LabelledTexts,
    beliefs: Sequence[str],
    tests: tuple[LabelledTexts, LabelledTexts],
    turn: int,
    vectors: Mapping[str, Floats],
    feedback: FeedbackMode,
    ends: Sequence[int],
    started: float,
) -> Curve:
    """Let one bot live through the stream.

    Args:
        tests: with the labels that are right up to message `turn`, and with those that are right after it.
    """
    start = last = _accuracy(bot, tests[0], vectors["test"])
    windows: list[Window] = []
    right_total = seen = 0
    for end in ends:
        right = 0
        for i in range(seen, end):
            text, vector = stream.texts[i], vectors["stream"][i]
            said = bot.answer(text, vector)
            right += said == stream.labels[i]
            if feedback == "binary":
                bot.judged(text, vector, said, good=said == beliefs[i])
            elif feedback == "correction":
                if said == beliefs[i]:
                    bot.judged(text, vector, said, good=True)
                else:
                    bot.corrected(text, vector, beliefs[i])
        bot.checkpoint(Stream(stream.texts[:end], stream.labels[:end], vectors["stream"][:end]))
        last = _accuracy(bot, tests[end > turn], vectors["test"])
        windows.append(Window(seen=end, accuracy=right / (end - seen), test_accuracy=last))
        right_total, seen = right_total + right, end
    return Curve(
        start_accuracy=start,
        final_accuracy=last,
        windows=tuple(windows),
        cumulative_regret=float(seen - right_total),
        seconds=time.perf_counter() - started,
    )


def _accuracy(bot: Bot, test: LabelledTexts, vectors: Floats) -> float:
    said = bot.answer_all(test.texts, vectors)
    return sum(map(str.__eq__, said, test.labels)) / len(test.labels)


def _ends(messages: int, checkpoints: int | Sequence[int]) -> list[int]:
    """Numbers of messages after which windows end, ascending; the last is that of all."""
    if isinstance(checkpoints, int):
        return sorted({round(messages * (i + 1) / checkpoints) for i in range(checkpoints)} - {0})
    return sorted({min(end, messages) for end in checkpoints} | {messages})


def _beliefs(labels: Sequence[str], noise: float, rng: np.random.Generator) -> list[str]:
    """What each user takes for the right label."""
    choices = sorted(set(labels))
    found = list(labels)
    for i in np.flatnonzero(rng.random(len(labels)) < noise).tolist():
        others = [label for label in choices if label != labels[i]]
        if others:
            found[i] = others[int(rng.integers(len(others)))]
    return found


def _drifted(
    train: LabelledTexts, stream: LabelledTexts, test: LabelledTexts, drift: Drift | None, rng: np.random.Generator
) -> tuple[LabelledTexts, LabelledTexts, LabelledTexts, int]:
    """Return the training rows left, the stream in its new order, of which no message is lost, and the test after so many messages."""
    if drift is None:
        return train, stream, test, len(stream.texts)
    labels = [str(label) for label in rng.permutation(sorted(set(train.labels)))]
    late = set(labels[: max(1, round(len(labels) * (_NEW_SHARE if drift == "new-classes" else 0.5)))])
    if len(labels) < 2:
        raise InvalidInputError(f"drift {drift!r} needs at least two labels in {train.path}")
    is_late = np.array([label in late for label in stream.labels])
    share_late = 0.0 if drift == "new-classes" else 1 - _SHIFT_PURITY
    half = len(stream.texts) // 2
    early_rows, late_rows = np.flatnonzero(~is_late), np.flatnonzero(is_late)
    late_first = late_rows[: round(half * share_late)]
    early_first = early_rows[: half - len(late_first)]
    first = np.sort(np.concatenate([early_first, late_first]))
    rest = np.setdiff1d(np.arange(len(stream.texts)), first)
    if drift == "new-classes":
        train = train.take([i for i, label in enumerate(train.labels) if label not in late])
    stream = stream.take([int(i) for i in np.concatenate([first, rest])])
    if drift == "new-classes":
        return train, stream, test, len(stream.texts)
    moved = labels[: max(2, round(len(labels) * _MOVED_SHARE))]
    meaning = dict(zip(moved, [*moved[1:], moved[0]], strict=True))
    said = tuple(meaning.get(label, label) if i >= half else label for i, label in enumerate(stream.labels))
    later = tuple(meaning.get(label, label) for label in test.labels)
    return train, replace(stream, labels=said), replace(test, labels=later), half


def _check(
    feedback: str,
    noise: float,
    strategies: Sequence[str],
    limit: int | None,
    drift: str | None,
    checkpoints: int | Sequence[int],
    worker_every: int,
) -> None:
    for name, value, choices in (
        ("feedback", feedback, get_args(FeedbackMode)),
        ("drift", drift, (*get_args(Drift), None)),
        *(("strategy", strategy, get_args(Strategy)) for strategy in strategies),
    ):
        if value not in choices:
            named = [choice for choice in choices if choice is not None]
            raise InvalidInputError(
                f"no {name} {value!r}: choose from {', '.join(named)}.{did_you_mean(str(value), named)}"
            )
    if not strategies:
        raise InvalidInputError(f"no strategy named: choose from {', '.join(get_args(Strategy))}")
    if not 0 <= noise <= 1:
        raise InvalidInputError(f"noise must be in [0, 1], came as {noise}")
    marks = [checkpoints] if isinstance(checkpoints, int) else checkpoints
    for name, number in (("limit", limit), *(("checkpoints", one) for one in marks), ("worker_every", worker_every)):
        if number is not None and number < 1:
            raise InvalidInputError(f"{name} must be >= 1, came as {number}")

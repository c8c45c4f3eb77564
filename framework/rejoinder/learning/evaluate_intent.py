"""`rejoinder evaluate intent`: fit on one file, score on another, through the code that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rejoinder.learning.evaluate_texts import AUTO, TextReport, evaluate_texts, write_confusion_png
from rejoinder.learning.labelled_csv import read_labelled_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import TrainingSettings

__all__ = ["IntentReport", "evaluate_intent", "write_confusion_png"]

IntentReport = TextReport


def evaluate_intent(
    train_csv: Path | str,
    test_csv: Path | str,
    *,
    oos_label: str | None = None,
    shots: int | None = None,
    seed: int = 0,
    encoder: TextEncoder,
    method: str = AUTO,
    settings: TrainingSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IntentReport:
    """Fit a text classifier on one file and score it on another; see `evaluate_texts` for the other arguments.

    Args:
        train_csv: CSV with header `text,label`, plain or gzipped.
        test_csv: the same; never used for any choice.

    Raises:
        InvalidInputError: a file or argument cannot be used; the message names file and line, or the argument and the choices.
    """
    return evaluate_texts(
        read_labelled_csv(train_csv),
        read_labelled_csv(test_csv),
        oos_label=oos_label,
        shots=shots,
        seed=seed,
        encoder=encoder,
        method=method,
        settings=settings,
        progress=progress,
    )

"""`rejoinder evaluate sentiment`: as intents, and where the files say so, the label of one entity in a text."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.learning.evaluate_texts import TextReport, evaluate_texts, write_confusion_png
from rejoinder.learning.labelled_csv import LabelledTexts, read_labelled_csv
from rejoinder.models.training.objectives.entity import texts_about

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import TrainingSettings

__all__ = ["DEFAULT_METHOD", "evaluate_sentiment", "write_confusion_png"]

DEFAULT_METHOD: Final = "full"
"""A frozen sentence encoder puts "profit rose" near "profit fell": sentiment wants training more than intents do."""


def evaluate_sentiment(
    train_csv: Path | str,
    test_csv: Path | str,
    *,
    oos_label: str | None = None,
    shots: int | None = None,
    seed: int = 0,
    encoder: TextEncoder,
    method: str = DEFAULT_METHOD,
    settings: TrainingSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
    before: Sequence[Path | str] = (),
    parts: Mapping[str, Sequence[int]] | None = None,
) -> TextReport:
    """Train and fit a text classifier on one file and score it on another; see `evaluate_texts` for the other arguments.

    With a column `entity` the label is for that entity: the encoder reads the text with the entity marked, as `texts_about` makes it, and
    the report's `parts` tell how texts with `several` entities came out, and those whose entities `differ` in their labels.

    Args:
        train_csv: CSV with header `text,label` or `text,label,entity`, plain or gzipped.
        test_csv: the same; never used for any choice.
        before: other files that are trained on first, with or without entities; texts of the test file are left out of them.
        parts: rows of the test file that are scored by themselves too, by name.

    Raises:
        InvalidInputError: a file or argument cannot be used, or only one of the files has entities.
    """
    train, test = read_labelled_csv(train_csv), read_labelled_csv(test_csv)
    if bool(train.entities) != bool(test.entities):
        has, lacks = (train, test) if train.entities else (test, train)
        raise InvalidInputError(
            f"{has.path} has a column `entity` and {lacks.path} has none: labels of entities and labels of whole texts are different things"
        )
    return evaluate_texts(
        _about_entities(train),
        _about_entities(test),
        oos_label=oos_label,
        shots=shots,
        seed=seed,
        encoder=encoder,
        method=method,
        settings=settings,
        progress=progress,
        before=[_about_entities(read_labelled_csv(one)) for one in before],
        parts={**_parts(test), **(parts or {})},
        mends_slips=False,
    )


def _about_entities(rows: LabelledTexts) -> LabelledTexts:
    if not rows.entities:
        return rows
    return replace(rows, texts=texts_about(rows.texts, rows.entities), sources=rows.texts)


def _parts(rows: LabelledTexts) -> dict[str, list[int]]:
    """Return the rows of texts with several entities, and of those whose entities differ in their labels."""
    if not any(rows.entities):
        return {}
    of_text: defaultdict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(rows.texts):
        of_text[text].append(row)
    several = [own for own in of_text.values() if len({rows.entities[row] for row in own}) > 1]
    differing = [own for own in several if len({rows.labels[row] for row in own}) > 1]
    return {"several": sorted(chain(*several)), "differ": sorted(chain(*differing))}

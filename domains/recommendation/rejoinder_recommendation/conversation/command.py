"""What `rejoinder evaluate recommend --dialogues` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rejoinder.cli.output import say, show_record, show_table
from rejoinder.cli.runtime import load_encoder

from rejoinder_recommendation.conversation.evaluate_dialogues import evaluate_dialogues

__all__ = ["show_dialogues"]

_COLUMNS: Final = ("model", "recall_at_1", "recall_at_10", "recall_at_50")
_LINES: Final = (
    "link_precision",
    "link_precision_in_dialogue",
    "link_recall",
    "dialogues",
    "recommendations",
    "items",
    "folds",
    "seconds",
)


def show_dialogues(
    dialogues: Path, items: Path, *, train: Path | None, report: Path | None, seed: int, json: bool
) -> None:
    """Evaluate, write the report, and print the table."""
    found = evaluate_dialogues(dialogues, items, encoder=load_encoder(), train=train, seed=seed)
    if report is not None:
        found.write(report)
    data = found.to_json()
    if json:
        say("", json=True, data=data)
        return
    rows = [{name: _short(value) for name, value in model.items()} for model in data["models"]]
    show_table(rows, _COLUMNS, json=False, title="What was recommended, among all items not spoken of before")
    show_record({name: _short(data[name]) for name in _LINES}, json=False)


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)

"""`rejoinder evaluate`: train and test through the code that serves, and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption, show_record
from rejoinder.cli.runtime import load_encoder

__all__ = ["app"]

app = typer.Typer(help="Figures on a data set, the same for everyone.", no_args_is_help=True)

_HIDDEN = ("confusion", "labels")


@app.callback()
def _group() -> None:
    """Figures on a data set, the same for everyone."""


@app.command()
def intent(
    train: Annotated[Path, typer.Option("--train", help="CSV with header `text,label` to learn from; .gz is fine.")],
    test: Annotated[Path, typer.Option("--test", help="CSV with header `text,label`; nothing is chosen by it.")],
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report as JSON here, and the confusion PNG beside it.")
    ] = None,
    oos_label: Annotated[
        str | None, typer.Option("--oos-label", metavar="NAME", help="The label that marks out-of-scope rows.")
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option("--shots", metavar="K", min=1, help="Learn from K rows of each label, drawn by the seed."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Fixes the draw and the fit.")] = 0,
    json: JsonOption = False,
) -> None:
    """Intent classification, with out-of-scope rows where there are any."""
    from rejoinder.learning.evaluate_intent import evaluate_intent, write_confusion_png

    found = evaluate_intent(train, test, oos_label=oos_label, shots=shots, seed=seed, encoder=load_encoder())
    if report is not None:
        found.write(report)
        write_confusion_png(found, report.with_suffix(".png"))
    data = found.to_json()
    show_record(data if json else {key: value for key, value in data.items() if key not in _HIDDEN}, json=json)

"""`rejoinder evaluate surge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rejoinder.cli.output import JsonOption, show_record

__all__ = ["app"]

app = typer.Typer()

_HIDDEN = ("detections", "scores", "versions", "without_windows", "without_rows")


@app.command()
def surge(
    series: Annotated[
        Path, typer.Option("--series", help="Folder of CSV files `timestamp,value`, plain or gzipped, in sub-folders.")
    ],
    windows: Annotated[
        Path, typer.Option("--windows", help="JSON: file name below the folder to list of [start, end], as in NAB.")
    ],
    report: Annotated[Path | None, typer.Option("--report", help="Write the report as JSON here.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Recorded; the detector draws nothing.")] = 0,
    json: JsonOption = False,
) -> None:
    """Detection of surges in labelled series, scored by NAB's rules."""
    from rejoinder_finance_sentiment.surge.evaluate import evaluate_surge

    found = evaluate_surge(series, windows, seed=seed)
    if report is not None:
        found.write(report)
    for names, what in ((found.without_windows, "have no entry of windows"), (found.without_rows, "have no CSV file")):
        if names:
            typer.echo(f"{len(names)} series {what} and are not scored, such as {names[0]}", err=True)
    data = found.to_json()
    show_record(data if json else {name: value for name, value in data.items() if name not in _HIDDEN}, json=json)

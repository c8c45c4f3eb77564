"""`rejoinder demo`: customers ask a really running server, correct it, and the next ones get the right answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Watch a bot learn from corrections, on real data.")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and the picture.")] = Path("demo-report"),
    corrections: Annotated[
        int, typer.Option("--corrections", min=1, max=400, help="How many wrong answers to correct.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides which examples the bot starts from.")] = 0,
    questions: Annotated[
        int, typer.Option("--questions", min=1, max=900, hidden=True, help="How many test questions to ask.")
    ] = 900,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of a table.")] = False,
) -> None:
    """Two banks share a server; the customers of one correct its bot. Before, after, and what changed for whom.

    The bot starts from 5 examples of each of banking77's 77 intents. 900 real questions are asked before and after; between,
    other real questions are asked and the first wrong answers corrected. It ends by itself, in some minutes.
    """
    from rejoinder_customer_service.demo.report import show_table, write_report
    from rejoinder_customer_service.demo.scenario import run_demo

    report = run_demo(
        corrections=corrections, questions=questions, seed=seed, tell=lambda text: typer.echo(text, err=json)
    )
    files = write_report(report, out)
    if json:
        typer.echo((out / "report.json").read_text(encoding="utf-8"))
    else:
        show_table(report)
        typer.echo("\nWritten: " + ", ".join(str(file) for file in files))

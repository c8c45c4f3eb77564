"""`rejoinder simulate`: replay a labelled stream as users with feedback, and draw the learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from rejoinder.cli.output import JsonOption, show_record, show_table
from rejoinder.cli.runtime import load_encoder

__all__ = ["app"]

app = typer.Typer(help="Learning curves of simulated users.")


@app.command()
def simulate(
    train: Annotated[Path, typer.Option("--train", help="CSV `text,label`: what the bot knows at the start.")],
    stream: Annotated[Path, typer.Option("--stream", help="CSV `text,label`: what arrives, in order.")],
    test: Annotated[Path, typer.Option("--test", help="CSV `text,label`: asked at every checkpoint, never learned.")],
    feedback: Annotated[
        str,
        typer.Option(
            "--feedback",
            help="correction (whether the answer was right, else what is), binary (one bit on the answer given) or none.",
        ),
    ] = "correction",
    noise: Annotated[float, typer.Option("--noise", metavar="P", help="Chance that a user is mistaken, 0 to 1.")] = 0.0,
    strategy: Annotated[
        str, typer.Option("--strategy", help="Any of static,instant,worker,both,retrain, with commas.")
    ] = "static,instant,worker,both,retrain",
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Most messages of the stream.")] = None,
    drift: Annotated[str | None, typer.Option("--drift", help="new-classes or shift.")] = None,
    checkpoints: Annotated[int, typer.Option("--checkpoints", metavar="N", help="Windows of the curve.")] = 10,
    worker_every: Annotated[
        int,
        typer.Option("--worker-every", metavar="N", help="Fewest messages with feedback between two fits of a worker."),
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Fixes noise, drift and fits.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report as JSON here, and the curves as PNG beside it.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Replay users who say what was wrong, under several strategies of learning side by side."""
    from rejoinder.errors import InvalidInputError, did_you_mean
    from rejoinder.learning.simulate import Drift, FeedbackMode, Strategy, write_curves_png
    from rejoinder.learning.simulate import simulate as replay

    names = tuple(name.strip() for name in strategy.split(",") if name.strip())
    for option, given, choices in (
        ("--feedback", (feedback,), get_args(FeedbackMode)),
        ("--strategy", names or ("",), get_args(Strategy)),
        ("--drift", (drift,) if drift else (), get_args(Drift)),
    ):
        for name in given:
            if name not in choices:
                raise InvalidInputError(
                    f"{option}: there is no {name!r}.{did_you_mean(name, choices)} Choose from {', '.join(choices)}"
                )
    found = replay(
        train,
        stream,
        test,
        encoder=load_encoder(),
        feedback=feedback,  # type: ignore[arg-type]  # checked above
        noise=noise,
        strategies=names,  # type: ignore[arg-type]  # checked above
        limit=limit,
        drift=drift,  # type: ignore[arg-type]  # checked above
        checkpoints=checkpoints,
        worker_every=worker_every,
        seed=seed,
    )
    if report is not None:
        found.write(report)
        write_curves_png(found, report.with_suffix(".png"))
    data = found.to_json()
    rows = [{"strategy": name, **curve} for name, curve in data["strategies"].items()]
    columns = ("strategy", "start_accuracy", "final_accuracy", "cumulative_regret", "seconds")
    if json:
        show_record(data, json=True)
    else:
        show_table(rows, columns, json=False)

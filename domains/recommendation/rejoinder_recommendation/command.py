"""`rejoinder evaluate recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import load_encoder

__all__ = ["app"]

app = typer.Typer()

_COLD = ("cold_recall_at_10", "cold_user_recall_at_10")
_COLUMNS = ("model", "ndcg_at_10", "recall_at_10", *_COLD, "ours_ahead", "interval_95")
_LINES = ("users", "items", "events", "tested", "seconds")


@app.command()
def recommend(
    items: Annotated[
        Path,
        typer.Option(
            "--items",
            help="CSV `item,title,text`, and attributes; with --dialogues JSON lines or one JSON object by id; .gz is fine.",
        ),
    ],
    ratings: Annotated[
        Path | None, typer.Option("--ratings", help="CSV `user,item,rating,timestamp`; .gz is fine.")
    ] = None,
    dialogues: Annotated[
        Path | None,
        typer.Option(
            "--dialogues", help="Dialogues as ReDial writes them (JSON lines): rank what was recommended in them."
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            "--train",
            help="Dialogues to learn from; without it, those of --dialogues in five parts, each by the others.",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report as JSON here.")] = None,
    cold_share: Annotated[
        float,
        typer.Option(
            "--cold-share", help="Hold this share of items and of users from a second training, and rank those."
        ),
    ] = 0.0,
    scale: Annotated[
        tuple[float, float], typer.Option("--scale", metavar="LOW HIGH", help="A rating outside is an error.")
    ] = (0.0, 10.0),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Fixes everything that is drawn.")] = 0,
    json: JsonOption = False,
) -> None:
    """Ranking of every user's last item among all unseen ones, or of what people recommended in dialogues."""
    if dialogues is not None and ratings is None:
        from rejoinder_recommendation.conversation.command import show_dialogues

        show_dialogues(dialogues, items, train=train, report=report, seed=seed, json=json)
        return
    if ratings is None or dialogues is not None:
        raise typer.BadParameter("name one of --ratings and --dialogues")
    from rejoinder_recommendation.evaluate import evaluate_recommend

    found = evaluate_recommend(ratings, items, encoder=load_encoder(), seed=seed, cold_share=cold_share, scale=scale)
    if report is not None:
        found.write(report)
    if found.repeats:
        typer.echo(f"{found.repeats} ratings were replaced by a later one of the same user and item", err=True)
    if found.unknown_items:
        some = f"{len(found.unknown_items)} rated items are not in {items}, such as {found.unknown_items[0]}"
        typer.echo(f"{some}; they are ranked without text", err=True)
    data = found.to_json()
    if json:
        say("", json=True, data=data)
        return
    rows = [
        {name: _short(value) for name, value in model.items()}
        | {"interval_95": _interval(model["ours_ahead_low"], model["ours_ahead_high"])}
        for model in data["models"]
    ]
    columns = [name for name in _COLUMNS if found.cold_share or name not in _COLD]
    show_table(rows, columns, json=False, title="Last items among all unseen ones; ahead: of this model, in NDCG@10")
    cold = ("cold", "cold_tested", "random_cold_recall_at_10", "cold_users_tested")
    lines = [*_LINES, *(cold if found.cold_share else ())]
    show_record({name: _short(data[name]) for name in lines}, json=False)


def _short(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _interval(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:+.4f} to {high:+.4f}"

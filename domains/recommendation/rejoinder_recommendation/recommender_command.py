"""`rejoinder recommender`: train a recommender on files, and ask it for lists."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.runtime import load_encoder

from rejoinder_recommendation.export_command import export

__all__ = ["app"]

app = typer.Typer(help="Train a recommender on files, and ask it for lists; write a tenant's lists into a file.")
app.command()(export)

_FolderOption = Annotated[Path, typer.Option("--folder", help="Where the model is.")]


@app.command()
def train(
    ratings: Annotated[Path, typer.Option("--ratings", help="CSV `user,item,rating,timestamp`; .gz is fine.")],
    items: Annotated[Path, typer.Option("--items", help="CSV `item,title,text`, and attributes; .gz is fine.")],
    folder: _FolderOption,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Fixes everything that is drawn.")] = 0,
    json: JsonOption = False,
) -> None:
    """Train on all events and write the model."""
    from rejoinder_recommendation.encoded_items import content_of
    from rejoinder_recommendation.rating_files import read_rating_files
    from rejoinder_recommendation.trained import train_recommender

    begun = time.perf_counter()
    files, encoder = read_rating_files(ratings, items), load_encoder()
    content = content_of(files, encoder)
    trained = train_recommender(files.histories, content, files.items, seed=seed, encoder=encoder.name)
    trained.save(folder)
    data = {
        "folder": str(folder),
        "items": len(files.items),
        "users": len(files.users),
        "events": len(files.histories.items),
        "fingerprint": trained.fingerprint,
        "seconds": time.perf_counter() - begun,
    }
    say(f"trained on {data['events']} events in {data['seconds']:.0f} s: {folder}", json=json, data=data)


@app.command()
def rank(
    folder: _FolderOption,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="An item that the user has, oldest first.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Choose among these items.")] = None,
    without: Annotated[list[str] | None, typer.Option("--without", help="Leave this item out.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Length of the list.")] = 10,
    json: JsonOption = False,
) -> None:
    """List the best items for one user."""
    from rejoinder_recommendation.trained import TrainedRecommender

    now = time.time()
    trained = TrainedRecommender.load(folder)
    seen = [(item, now + place) for place, item in enumerate(history or ())]
    if unknown := [item for item, _ in seen if item not in trained.items]:
        typer.echo(f"passed over, since the model does not know them: {', '.join(unknown)}", err=True)
    found = trained.rank(seen, count, only=only or None, without=without or ())
    rows = [{"item": one.item, "score": round(one.score, 4)} for one in found]
    show_table(rows, ["item", "score"], json=json, title="Best first")

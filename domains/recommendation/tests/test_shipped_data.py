"""The catalogue and the behaviour that the domain ships are as the API takes them."""

from __future__ import annotations

from pathlib import Path

import orjson
import rejoinder_recommendation
from rejoinder.events.arriving import EventIn
from rejoinder.items.behaviour import KINDS
from rejoinder.items.files import read_item_file
from rejoinder.items.loading import ItemLoading
from rejoinder.store.items import list_items

from tests.support.application import opened

DATA = Path(rejoinder_recommendation.__file__).parent / "data"


async def test_every_film_and_every_generated_event_is_taken(tmp_path: Path) -> None:
    rows = read_item_file(DATA / "movies.jsonl.gz")
    async with opened(tmp_path, {}) as application:
        results = await ItemLoading(application.database, "acme", None).take(rows)
        assert {one.status for one in results} == {"new"}
        films = {item.id: item for item in await list_items(application.database, "acme")}
    assert len(films) == len(rows) == 600
    assert all(film.data["tags"] and film.text for film in films.values())
    assert all(film.data["data"]["mentions"] for film in films.values())
    lines = (DATA / "generated_behaviour.jsonl").read_bytes().splitlines()
    events = [EventIn.model_validate(orjson.loads(line)) for line in lines]
    assert {event.kind for event in events} <= KINDS
    assert {event.item_id for event in events} <= set(films)
    assert {event.source for event in events} == {"generated"}

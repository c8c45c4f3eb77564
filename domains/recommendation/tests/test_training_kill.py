"""kill -9 of the worker in the midst of a training: another goes on with what was chosen, and the run ends once, with one version."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from rejoinder.context import utc_now
from rejoinder.items.loading import ItemLoading
from rejoinder.learning.queue import send_run
from rejoinder.payloads import Event
from rejoinder.store.database import Database
from rejoinder.store.events import NewEvent, add_events
from rejoinder.store.models import list_versions
from rejoinder.store.runs import create_run
from rejoinder.store.tables import AdaptationRun, ModelVersion

from tests.faults.deployments import deployment

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kill -9 and its aftermath are looked at on Linux"),
]

PLUGIN = '''
"""Few settings for each kind of source, each fit written down; fits of `ease` wait as long as the file `hold-ease` is there."""

import time
from pathlib import Path

from rejoinder import hookimpl
from rejoinder_recommendation import candidates

FOLDER = Path(__file__).parent.parent


def told(name, kind):
    def fit(*given, **settings):
        with (FOLDER / "fits").open("a") as file:
            file.write(f"{name}\\n")
        while name == "ease" and (FOLDER / "hold-ease").exists():
            time.sleep(0.05)
        return kind.fit(*given, **settings)

    few = ({"layers": 1, "dropout": 0.2, "steps": 30},) if name == "sequence" else kind.settings
    return candidates._Kind(fit, few[:2])


class Plugin:
    @hookimpl()
    def start(self):
        """Write down what is fitted."""
        candidates._KINDS = {name: told(name, kind) for name, kind in candidates._KINDS.items()}


plugin = Plugin()
'''
PEOPLE, EACH, ITEMS = 40, 5, 30


async def stock(database: Database) -> None:
    """Items and what people did with them."""
    rows = [{"id": f"i{n}", "title": f"Item {n}", "tags": [f"tag{n % 3}"]} for n in range(ITEMS)]
    await ItemLoading(database, "acme", None).take(list(enumerate(rows)))
    began = utc_now() - timedelta(days=1)
    events = [
        Event(
            id=f"{person}-{step}",
            kind="click",
            at=began + timedelta(minutes=step),
            user_id=f"p{person}",
            item_id=f"i{(person * 7 + step * 3) % ITEMS}",
        )
        for person in range(PEOPLE)
        for step in range(EACH)
    ]
    await add_events(database, "acme", [NewEvent(event=one, sha256=one.id, source="test") for one in events])


async def new_run(database: Database) -> AdaptationRun:
    return await create_run(database, "acme", task="recommend", reason="test")


async def versions(database: Database) -> list[ModelVersion]:
    return await list_versions(database, "acme", task="recommend")


def test_a_training_whose_worker_is_killed_ends_once(tmp_path: Path) -> None:
    with deployment(tmp_path) as place:
        (tmp_path / "plugins" / "told.py").write_text(PLUGIN)
        fits, hold, journals = tmp_path / "fits", tmp_path / "hold-ease", tmp_path / "data" / "work" / "recommendation"
        hold.touch()
        place.ask(stock)
        run = place.ask(new_run)
        send_run(place.settings, "acme", run.id)
        place.start_worker()
        place.wait("a fit of ease began", lambda: fits.exists() and "ease" in fits.read_text())
        place.kill_worker()
        assert fits.read_text().split() == ["popularity", "popularity", "item_knn", "item_knn", "ease"]
        assert [one.suffix for one in journals.iterdir()] == [".json"]
        fits.unlink()
        hold.unlink()

        place.start_worker()
        send_run(place.settings, "acme", run.id)
        over = place.wait_for_end(run.id)
        assert (over.status, over.attempts) == ("done", 2), (over.error, place.log)
        assert fits.read_text().split()[:4] == ["popularity", "item_knn", "ease", "ease"], "what was chosen is known"
        assert not list(journals.iterdir())
        (made,) = [one for one in place.ask(versions) if one.settings.get("run") == run.id]
        assert over.model_version_id == made.id

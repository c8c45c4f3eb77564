"""Time of a turn that recommends from a tenant's items, over the whole path from message to stored reply.

    python benchmarks/chat_speed.py [--items 10000] [--turns 40] [--json OUT]

Items are made up: words, tags and makers are drawn, and their vectors come from an encoder that hashes words, so that what is measured is
the recommender and the store, not the encoder. Every fourth turn an item's price is changed over the catalogue's door just before. Printed:
seconds until the first turn is answered, and the median and the 95th percentile of turns without and with a change before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from rejoinder.application import Application
from rejoinder.documents.encoding import PassageEncoder
from rejoinder.host import Host, Plugins
from rejoinder.items.loading import ItemLoading
from rejoinder.payloads import Caller
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.testing import HashEncoder
from rejoinder_recommendation import RecommendationPlugin

SAID: Final = (
    "something like {title} but cheaper",
    "not this one",
    "a gift for my father who likes {word}, under 60",
    "why this?",
)
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), chosen.items, chosen.turns))
    for name, value in found.items():
        print(f"{name:>24} {value:.3f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2))


async def measure(folder: Path, count: int, turns: int) -> dict[str, float]:
    """Return seconds, by what they are of."""
    chance = random.Random(0)  # made-up data, no secret
    words = ["".join(chance.choices(LETTERS, k=chance.randint(4, 9))) for _ in range(5000)]
    items = [made_up(number, words, chance) for number in range(count)]
    registry = Plugins()
    registry.register(RecommendationPlugin(), "recommendation", "this benchmark")
    loaded = LoadedSettings(DeploymentSettings(data_dir=folder), tenants_dir=folder / "tenants")
    with (
        patch("rejoinder.application.load_host", lambda _: Host(registry)),
        patch("rejoinder.application.load_encoder", lambda *_, **__: HashEncoder()),
    ):
        async with Application.open(loaded) as application:
            await application.tenants.create("shop")
            encoder = await PassageEncoder.of_service(application.encoder, "shop")
            loading = ItemLoading(application.database, "shop", encoder)
            await loading.take(list(enumerate(items)))
            ann = Caller(id="ann")
            conversation = await application.conversations.create("shop", ann)
            times: dict[str, list[float]] = {"first": [], "turn": [], "turn_after_change": []}
            for number in range(turns + 1):
                item = items[chance.randrange(count)]
                after = number % 4 == 3
                if after:
                    await loading.take([(0, {**item, "price": item["price"] + 1})])
                text = SAID[number % len(SAID)].format(title=item["title"], word=item["text"].split()[0])
                started = time.perf_counter()
                turn = await application.conversations.turn("shop", conversation, ann, text)
                name = "turn_after_change" if after else "turn" if number else "first"
                times[name].append(time.perf_counter() - started)
                print(f"{times[name][-1]:.3f} {name}: {text[:50]} -> {turn.reply.parts[0][:60]}")
    found = {"first_s": times["first"][0]}
    for name in ("turn", "turn_after_change"):
        ordered = sorted(times[name])
        found[f"{name}_p50_s"] = statistics.median(ordered)
        found[f"{name}_p95_s"] = ordered[int(0.95 * (len(ordered) - 1))]
    return found


def made_up(number: int, words: list[str], chance: random.Random) -> dict[str, Any]:
    """Return an item as it is sent."""
    return {
        "id": f"item-{number}",
        "title": " ".join(word.title() for word in chance.choices(words, k=3)),
        "text": " ".join(chance.choices(words, k=40)),
        "tags": chance.choices(words[:50], k=2),
        "price": float(chance.randint(5, 200)),
        "data": {"maker": chance.choice(words[50:300])},
    }


if __name__ == "__main__":
    main()

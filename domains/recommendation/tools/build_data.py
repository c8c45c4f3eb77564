"""Make the small catalogue and the generated behaviour that the domain ships.

    REJOINDER_DATA=<folder of data sets> python domains/recommendation/tools/build_data.py

Films are those of ReDial that its validation dialogues mention most. Behaviour is generated: no person did any of it. Each of 60 made-up
users has two genres, drawn by a fixed seed, and turns to 12 films, eight of ten of them of these genres.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILMS, USERS, EACH, SEED = 300, 60, 12, 0
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
OUT = Path(__file__).parents[1] / "rejoinder_recommendation" / "data" / "redial"


def main() -> None:
    """Write `movies.csv` and `generated_behaviour.jsonl`."""
    folder = Path(os.environ["REJOINDER_DATA"]) / "redial"
    with gzip.open(folder / "movies_id2info.json.gz", "rt", encoding="utf-8") as file:
        films = json.load(file)
    with gzip.open(folder / "valid_data_901.jsonl.gz", "rt", encoding="utf-8") as file:
        mentioned = Counter(re.findall(r"@(\d+)", file.read()))
    chosen = [one for one, _ in mentioned.most_common() if films.get(one, {}).get("plot")][:FILMS]
    with (OUT / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "title", "text", "tags", "director"])
        for one in chosen:
            film = films[one]
            row = [one, film["name"], film["plot"], "|".join(film["genre"]), ", ".join(film["director"])]
            writer.writerow(row)
    chance = random.Random(SEED)  # noqa: S311  # made-up data, no secret
    genres = sorted({genre for one in chosen for genre in films[one]["genre"]})
    with (OUT / "generated_behaviour.jsonl").open("w", encoding="utf-8") as file:
        for user in range(USERS):
            liked = set(chance.sample(genres, 2))
            theirs = [one for one in chosen if liked & set(films[one]["genre"])]
            for number in range(EACH):
                film = chance.choice(theirs if chance.random() < 0.8 else chosen)
                event = {
                    "id": f"generated-{user}-{number}",
                    "source": "generated",
                    "kind": chance.choice(["view", "click", "like"]),
                    "at": (FIRST + timedelta(hours=user * EACH + number)).isoformat(),
                    "user_id": f"generated-{user}",
                    "item_id": film,
                }
                file.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main()

"""How well entities and relations are found in text: sentences about films, in phrasings that no training saw.

    .venv/bin/python benchmarks/extraction.py --out extraction.json

The sentences state triples of metaqa's graph (`film_sentences/test.txt`); what the extraction learns from are other phrasings
(`film_sentences/train.txt` and `development.txt`) of other films and the schema. The threshold comes from held-out phrasings of the
training alone. Whoever works on the extraction looks at `--scored development`, which learns from `train.txt` alone, and leaves the test
alone: it is for scoring.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rejoinder.graph.extraction import Document, Extractor, Known, NameList, Proposal, Stated
from rejoinder.graph.extraction.tuning import EPOCHS, MEMBERS, tune
from rejoinder.graph.schema import GraphSchema
from rejoinder.models.encoding.encoder import load_encoder

SCHEMA: Final = GraphSchema.parse(
    {
        "kinds": {
            "movie": {},
            "person": {},
            "year": {},
            "language": {},
            "genre": {},
            "tag": {"title": "keyword"},
            "rating": {},
            "votes": {"title": "number of votes"},
        },
        "relations": {
            "directed_by": {"from": "movie", "to": "person", "title": "was directed by", "inverse_title": "directed"},
            "written_by": {"from": "movie", "to": "person", "title": "was written by", "inverse_title": "wrote"},
            "starred_actors": {"from": "movie", "to": "person", "title": "stars", "inverse_title": "starred in"},
            "release_year": {"from": "movie", "to": "year", "title": "was released in"},
            "in_language": {"from": "movie", "to": "language", "title": "is in the language"},
            "has_genre": {"from": "movie", "to": "genre", "title": "has the genre"},
            "has_tags": {"from": "movie", "to": "tag", "title": "has the tag", "inverse_title": "is a tag of"},
            "has_imdb_rating": {"from": "movie", "to": "rating", "title": "has a rating that is"},
            "has_imdb_votes": {"from": "movie", "to": "votes", "title": "by its number of votes is"},
        },
    }
)
HERE: Final = Path(__file__).parent / "film_sentences"
_SLOT: Final = re.compile(r"\{((?:other|any)\.)?([a-z_]+?)(?:_(\d))?\}")

Triple = tuple[str, str, str]


@dataclass(frozen=True)
class Films:
    """Facts about films: object names by film and relation, and all names by kind."""

    facts: Mapping[str, Mapping[str, Sequence[str]]]
    names: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, path: Path) -> Films:
        """Read metaqa's graph."""
        facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        names: dict[str, set[str]] = defaultdict(set)
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                film, relation, thing = line.rstrip("\n").split("|")
                facts[film][relation].append(thing)
                names["movie"].add(film)
                names[kind_of(relation)].add(thing)
        return cls(facts, {kind: sorted(every) for kind, every in names.items()})

    def entities(self) -> list[Known]:
        """Return every name as an entity."""
        return [Known(f"{kind}:{name}", kind, name) for kind, every in self.names.items() for name in every]


def kind_of(relation: str) -> str:
    """Return the kind of thing that a relation leads to."""
    return SCHEMA.relations[relation].range[0]


def phrasings(name: str) -> list[str]:
    """Return the lines of a file of phrasings."""
    lines = (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def filled(template: str, film: str, films: Films, rng: random.Random, triple: Triple | None = None) -> Stated | None:
    """Return a sentence about a film and the triples that it states; None where the film lacks something that it asks for."""
    other = rng.choice(films.names["movie"])
    stated: list[Triple] = []
    missing = False

    def fill(slot: re.Match[str]) -> str:
        nonlocal missing
        whose, what, number = slot.groups()
        if whose == "any.":
            return rng.choice(films.names[what])
        subject = other if whose else film
        if what == "movie":
            return subject
        things = sorted(films.facts[subject].get(what, ()))
        place = int(number or 1) - 1
        if triple and not whose and what == triple[1]:
            things = [triple[2], *(one for one in things if one != triple[2])]
        if place >= len(things) or things[place] in {thing.partition(":")[2] for _, _, thing in stated}:
            missing = True  # nothing is said of one person twice
            return ""
        stated.append((f"movie:{subject}", what, f"{kind_of(what)}:{things[place]}"))
        thing = things[place]
        return thing.lower() if what == "has_genre" else thing

    text = _SLOT.sub(fill, template)
    return None if missing else Stated(text[0].upper() + text[1:] if template[0] != "{" else text, tuple(stated))


def stating(
    templates: Sequence[str], films: Films, subjects: Sequence[str], count: int, rng: random.Random
) -> list[Stated]:
    """Return sentences that state so many triples, drawn evenly from the graph's, and one in six that states none."""
    by_relation: dict[str, list[str]] = defaultdict(list)
    for template in templates:
        for relation in {slot[2] for slot in _SLOT.finditer(template) if slot[1] is None and slot[2] != "movie"}:
            by_relation[relation].append(template)
    silent = [one for one in templates if "{any." in one]
    triples = [
        (film, relation, thing)
        for film in subjects
        for relation, things in films.facts[film].items()
        for thing in things
    ]
    found: list[Stated] = []
    total = 0
    while total < count:
        triple = rng.choice(triples)
        sentence = filled(rng.choice(by_relation[triple[1]]), triple[0], films, rng, triple)
        if sentence is None:
            continue
        found.append(sentence)
        total += len(sentence.triples)
        if rng.random() < 0.2:
            none = filled(rng.choice(silent), rng.choice(subjects), films, rng)
            found += [none] if none else []
    return found


def every_phrasing(templates: Sequence[str], films: Films, subjects: Sequence[str], rng: random.Random) -> list[Stated]:
    """Return a sentence of each phrasing."""
    found = []
    for template in templates:
        sentence = None
        while sentence is None:
            sentence = filled(template, rng.choice(subjects), films, rng)
        found.append(sentence)
    return found


def scores(
    sentences: Sequence[Stated], proposals: Sequence[Proposal], keep: Callable[[Triple], bool] | None = None
) -> dict[str, float]:
    """Return precision and recall of proposed relations; keep: says which stated triples count."""
    truth = {(str(place), triple) for place, one in enumerate(sentences) for triple in one.triples}
    said = {
        (one.evidence.document, (one.subject.id, one.relation, one.object.id))
        for one in proposals
        if one.relation and one.object
    }
    counted = {one for one in truth if keep is None or keep(one[1])}
    right = len(said & truth)
    return {
        "precision": right / max(1, len(said)),
        "recall": len(said & counted) / max(1, len(counted)),
        "triples": len(counted),
        "proposed": len(said),
    }


def measure(
    data: Path,
    *,
    triples: int = 500,
    seed: int = 0,
    epochs: int = EPOCHS,
    members: int = MEMBERS,
    frozen: bool = False,
    scored: str = "test",
) -> dict[str, Any]:
    """Learn from the one half of the films and phrasings, and return how well the others are read.

    Args:
        scored: "test", or "development" while the extraction is worked on.
    """
    films = Films.read(data)
    rng = random.Random(seed)
    order = sorted(films.facts)
    rng.shuffle(order)
    seen, unseen = order[: len(order) // 2], order[len(order) // 2 :]
    encoder = load_encoder()
    everything = NameList(films.entities())
    learned_from = phrasings("train") + (phrasings("development") if scored == "test" else [])
    stated = every_phrasing(learned_from, films, seen, rng)
    started = time.perf_counter()
    pairs = Extractor(SCHEMA, encoder.encode).labelled(stated, everything)
    tuned = None if frozen else tune(encoder, pairs, SCHEMA, seed=seed, epochs=epochs, members=members)
    extractor = Extractor(SCHEMA, encoder.encode, tuned=tuned)
    learned = extractor.fit([], everything, learned=pairs, seed=seed)
    report: dict[str, Any] = {
        "learned": dict(learned),
        "fit_seconds": time.perf_counter() - started,
        "encoder": encoder.backend,
    }
    rng = random.Random(seed + 1)
    sentences = stating(phrasings(scored), films, unseen, triples, rng)
    documents = [Document(str(place), one.text) for place, one in enumerate(sentences)]
    report["sentences"] = len(sentences)
    withheld = {one.id for one in films.entities() if rng.random() < 0.5}
    for case, left_out in (("all known", set[str]()), ("half withheld", withheld)):
        names = NameList(one for one in films.entities() if one.id not in left_out)
        started = time.perf_counter()
        proposals = [one for one in extractor.extract(documents, names) if one.relation]
        seconds = time.perf_counter() - started
        report[case] = {**scores(sentences, proposals), "ms_per_sentence": seconds / len(sentences) * 1000}
        report[case]["relations"] = {name: _of_relation(sentences, proposals, name) for name in SCHEMA.relations}
    return report


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("REJOINDER_DATA", "data")) / "metaqa" / "kb.txt.gz"
    )
    parser.add_argument("--triples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frozen", action="store_true", help="leave the encoder as it is")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--members", type=int, default=MEMBERS, help="encoders to train")
    parser.add_argument("--scored", choices=["test", "development"], default="test", help="phrasings to read")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report = measure(
        given.data,
        triples=given.triples,
        seed=given.seed,
        epochs=given.epochs,
        members=given.members,
        frozen=given.frozen,
        scored=given.scored,
    )
    text = json.dumps(report, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


def _of_relation(sentences: Sequence[Stated], proposals: Sequence[Proposal], relation: str) -> dict[str, float]:
    return scores(
        sentences, [one for one in proposals if one.relation == relation], lambda triple: triple[1] == relation
    )


if __name__ == "__main__":
    main()

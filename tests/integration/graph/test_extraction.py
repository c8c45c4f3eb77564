"""From text into the graph: what documents say is proposed, accepted by a person, written, and learned from."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction import Document, Extractor, GraphNames, Known, NameList, Stated, accept, labelled
from rejoinder.graph.extraction.tuning import Tuned, tune
from rejoinder.graph.graph import Graph
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity
from rejoinder.models.encoding.encoder import Encoder, load_encoder

SCHEMA = GraphSchema.parse(
    {
        "kinds": {"movie": {}, "person": {}},
        "relations": {
            "directed_by": {"from": "movie", "to": "person", "title": "was directed by", "inverse_title": "directed"},
            "starred_actors": {"from": "movie", "to": "person", "title": "stars", "inverse_title": "starred in"},
        },
    }
)
FILMS = ("Heat", "Alien", "Collateral", "Thief", "Gladiator")
PEOPLE = ("Michael Mann", "Ridley Scott", "Al Pacino", "Sigourney Weaver", "Tom Cruise")
NAMES = NameList(
    [
        *(Known(f"movie:{one}", "movie", one) for one in FILMS),
        *(Known(f"person:{one}", "person", one) for one in PEOPLE),
    ]
)
PHRASINGS = {
    "directed_by": [
        "{0} was directed by {1}.",
        "{1} is the director of {0}.",
        "Director {1} made {0}.",
        "{1} filmed {0} in Spain.",
    ],
    "starred_actors": [
        "{0} stars {1}.",
        "{1} acted in {0}.",
        "{1} plays a thief in {0}.",
        "The cast of {0} includes {1}.",
    ],
    "": ["{1} liked {0}.", "{1} reviewed {0}.", "{1} saw {0} with friends.", "{1} was asked about {0}."],
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The shipped encoder."""
    return load_encoder()


@pytest.fixture(scope="module")
def stated() -> list[Stated]:
    """Sentences in a dozen phrasings."""
    return [
        Stated(phrasing.format(film, person), ((f"movie:{film}", name, f"person:{person}"),) if name else ())
        for name, every in PHRASINGS.items()
        for phrasing in every
        for film, person in zip(FILMS, PEOPLE, strict=True)
    ]


@pytest.fixture(scope="module")
def extractor(encoder: Encoder, stated: list[Stated]) -> Extractor:
    """An extractor that learned them."""
    made = Extractor(SCHEMA, encoder.encode)
    made.fit(stated, NAMES)
    return made


def found(extractor: Extractor, text: str) -> set[tuple[str, str, str]]:
    proposals = extractor.extract([Document("a.txt", text)], NAMES)
    return {(one.subject.name, one.relation, one.object.name) for one in proposals if one.relation and one.object}


def test_relations_are_proposed_with_their_evidence(extractor: Extractor) -> None:
    text = "A note. Heat was directed by Michael Mann. Al Pacino acted in Heat. Tom Cruise liked Heat."
    assert found(extractor, text) == {("Heat", "directed_by", "Michael Mann"), ("Heat", "starred_actors", "Al Pacino")}
    proposals = extractor.extract([Document("a.txt", text)], NAMES)
    for one in proposals:
        assert text[one.evidence.start : one.evidence.end] == one.evidence.sentence
        assert text[one.subject.start : one.subject.end] == one.subject.name
        assert 0 < one.confidence <= 1
        assert one.evidence.document == "a.txt"


def test_what_is_said_twice_is_proposed_once(extractor: Extractor) -> None:
    proposals = extractor.extract(
        [Document("a.txt", "Heat was directed by Michael Mann. Michael Mann directed Heat.")], NAMES
    )
    assert len(proposals) == 1


def test_titles_alone_are_enough_to_begin(encoder: Encoder) -> None:
    extractor = Extractor(SCHEMA, encoder.encode)
    extractor.fit([], NAMES)
    assert found(extractor, "Alien was directed by Ridley Scott.") == {("Alien", "directed_by", "Ridley Scott")}


def test_a_decision_is_learned(encoder: Encoder, extractor: Extractor) -> None:
    text = "Ridley Scott called the shots on Alien."
    first = Extractor(SCHEMA, encoder.encode)
    first.fit([], NAMES)
    first.threshold = 0.0
    [proposal] = [one for one in first.extract([Document("a.txt", text)], NAMES) if one.relation == "directed_by"]
    for decision, expected in ((True, True), (False, False)):
        learned = labelled([replace(proposal, accept=decision)])
        first.fit([], NAMES, learned=learned)
        first.threshold = 0.5
        assert (
            ("Thief", "directed_by", "Michael Mann") in found(first, "Michael Mann called the shots on Thief.")
        ) is expected


def test_what_was_learned_is_saved_and_loaded(encoder: Encoder, extractor: Extractor, tmp_path: Path) -> None:
    extractor.save(tmp_path / "model")
    again = Extractor(SCHEMA, encoder.encode)
    again.load(tmp_path / "model")
    documents = [Document("a.txt", "Heat stars Al Pacino. Somebody Unknown directed Heat.")]
    assert again.extract(documents, NAMES) == extractor.extract(documents, NAMES)
    other = Extractor(GraphSchema.parse({"relations": {"knows": {}}}), encoder.encode)
    with pytest.raises(InvalidInputError, match="fit it anew"):
        other.load(tmp_path / "model")


def test_nothing_is_extracted_before_anything_was_learned(encoder: Encoder) -> None:
    with pytest.raises(InvalidInputError, match="learned nothing yet"):
        Extractor(SCHEMA, encoder.encode).extract([Document("a", "Heat stars Al Pacino.")], NAMES)


def test_a_tuned_encoder_is_used_saved_and_loaded(encoder: Encoder, stated: list[Stated], tmp_path: Path) -> None:
    pairs = Extractor(SCHEMA, encoder.encode).labelled(stated[:: len(FILMS)], NAMES)
    tuned = tune(encoder, pairs, SCHEMA, epochs=1)
    phrasings = {row.phrasing for row in pairs}
    first, second = (phrasings - member.seen for member in tuned.members)
    assert first
    assert second
    assert not first & second
    extractor = Extractor(SCHEMA, encoder.encode, tuned=tuned)
    extractor.fit(stated, NAMES)
    tuned.save(tmp_path / "encoder")
    extractor.save(tmp_path / "model")
    again = Extractor(SCHEMA, encoder.encode, tuned=Tuned.load(tmp_path / "encoder", encoder))
    again.load(tmp_path / "model")
    documents = [Document("a.txt", "Alien was directed by Ridley Scott. Al Pacino acted in Heat.")]
    assert again.extract(documents, NAMES) == extractor.extract(documents, NAMES) != []
    with pytest.raises(InvalidInputError, match="another encoder"):
        Extractor(SCHEMA, encoder.encode).load(tmp_path / "model")


def test_what_a_person_accepts_gets_into_the_graph(
    graph_space: Space, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extractor, "threshold", 0.5)  # a dozen phrasings say little of how sure to be
    graph = Graph(graph_space, SCHEMA)
    graph.upsert([Entity(id="movie:Heat", kind="movie", name="Heat")], source="list")
    document = Document("press.txt", "Heat was directed by Peter Newman. Heat stars Anna Newman.")
    proposals = extractor.extract([document], GraphNames(graph_space))
    relations = [one for one in proposals if one.relation]
    assert {(one.subject.id, one.relation, one.object.name) for one in relations if one.object} == {
        ("movie:Heat", "directed_by", "Peter Newman"),
        ("movie:Heat", "starred_actors", "Anna Newman"),
    }
    decided = [replace(one, accept=one.relation == "directed_by") for one in proposals]
    done = accept(decided, graph)
    assert (done.entities, done.relations, done.documents) == (1, 1, 1)
    around = graph.neighbourhood("movie:Heat")
    assert [(one.name, one.object, one.sources) for one in around.relations] == [
        ("directed_by", "person:Peter Newman", ("press.txt",))
    ]
    assert accept(decided, graph) == done
    graph.delete_source("press.txt")
    assert graph.neighbourhood("movie:Heat").relations == ()


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/extraction.py`."""
    path = Path(__file__).parents[3] / "benchmarks" / "extraction.py"
    spec = importlib.util.spec_from_file_location("extraction_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_no_tested_phrasing_is_learned_from(benchmark: ModuleType) -> None:
    files = [benchmark.phrasings(name) for name in ("train", "development", "test")]
    every = [one for phrasings in files for one in phrasings]
    assert len(set(every)) == len(every)
    for relation in benchmark.SCHEMA.relations:
        assert sum(f"{{{relation}}}" in one for one in files[-1]) >= 6


@pytest.mark.slow
def test_films_are_read_in_phrasings_that_no_training_saw(benchmark: ModuleType) -> None:
    data = Path(os.environ.get("REJOINDER_DATA", "")) / "metaqa" / "kb.txt.gz"
    if not data.is_file():
        pytest.skip("REJOINDER_DATA names no folder with metaqa")
    known = benchmark.measure(data)["all known"]
    assert known["precision"] >= 0.9
    assert known["recall"] >= 0.78

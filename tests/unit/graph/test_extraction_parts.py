"""The parts of extraction that need no model and no server: sentences, mentions, pairs, and files of proposals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction import Known, NameList, Proposal, labelled, read_proposals, write_proposals
from rejoinder.graph.extraction.mentions import find_mentions
from rejoinder.graph.extraction.pairs import pairs_of
from rejoinder.graph.extraction.proposals import Evidence, Named
from rejoinder.graph.extraction.sentences import sentences_of
from rejoinder.graph.schema import GraphSchema

SCHEMA = GraphSchema.parse(
    {
        "kinds": {"movie": {"title": "film"}, "person": {}, "genre": {}, "year": {}},
        "relations": {
            "directed_by": {"from": "movie", "to": "person"},
            "starred_actors": {"from": "movie", "to": "person"},
            "has_genre": {"from": "movie", "to": "genre"},
        },
    }
)
NAMES = NameList(
    [
        *(
            Known(f"movie:{name}", "movie", name)
            for name in ("Heat", "The Quiet Man", "It", "My Sister's Keeper", "Man")
        ),
        *(Known(f"movie:film {number}", "movie", f"Film {number}") for number in range(1100)),
        *(Known(f"person:{name}", "person", name) for name in ("Michael Mann", "Al Pacino")),
        Known("genre:Drama", "genre", "Drama"),
        Known("year:1995", "year", "1995"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith met Dr. No. They left.", ["Mr. Smith met Dr. No.", "They left."]),
        ("It cost 3.5 million. See e.g. this one.", ["It cost 3.5 million.", "See e.g. this one."]),
        ("He said: “Go.” Then he went.", ["He said: “Go.”", "Then he went."]),
        ("A heading\n\nA text", ["A heading", "A text"]),
        ("这是一句话。这是另一句！", ["这是一句话。", "这是另一句！"]),
        ("  \n ", []),
        ("x" * 601, []),
    ],
)
def test_documents_are_split_into_sentences(text: str, expected: list[str]) -> None:
    found = sentences_of(text)
    assert [one.text for one in found] == expected
    assert all(text[one.start : one.start + len(one.text)] == one.text for one in found)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Heat is a drama.", ["Heat", "drama"]),
        ("The heat of summer.", []),
        ("It was directed by Michael Mann in 1995.", ["Michael Mann", "1995"]),
        ("I saw It.", ["It"]),
        ("The Quiet Man, not Heat", ["The Quiet Man", "Heat"]),
        ("Michael Mann's Heat", ["Michael Mann", "Heat"]),
        ("my sister's keeper and My Sister's Keeper", ["My Sister's Keeper"]),
        ("MICHAEL MANN", ["MICHAEL MANN"]),
        ("preheat, heater", []),
    ],
)
def test_known_names_are_found(sentence: str, expected: list[str]) -> None:
    [mentions] = find_mentions([sentence], NAMES)
    assert [one.text for one in mentions] == expected
    assert all(sentence[one.start : one.end] == one.text for one in mentions)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Heat stars Val Kilmer and Jon Voight.", ["Val Kilmer", "Jon Voight"]),
        ('He wrote "a quiet place" in 2018.', ["a quiet place", "2018"]),
        ("The director of The Lord of the Rings left.", ["The Lord of the Rings"]),
        ("In Collateral we see Los Angeles.", ["Collateral", "Los Angeles"]),
        ("Kilmer's voice broke.", ["Kilmer"]),
        ("nothing here", []),
    ],
)
def test_what_looks_like_a_name_is_found(sentence: str, expected: list[str]) -> None:
    [mentions] = find_mentions([sentence], NAMES, lambda texts: [{"person": 0.9} for _ in texts])
    assert [one.text for one in mentions if not one.meant[0].known] == expected


def test_pairs_are_marked_and_have_the_relations_that_their_kinds_allow() -> None:
    sentence = "Michael Mann made Heat, a drama, with Al Pacino."
    [mentions] = find_mentions([sentence], NAMES)
    pairs = {(one.subject[0].text, one.object[0].text): one for one in pairs_of(sentence, mentions, SCHEMA)}
    assert pairs.keys() == {("Heat", "Michael Mann"), ("Heat", "Al Pacino"), ("Heat", "drama")}
    pair = pairs["Heat", "Al Pacino"]
    assert pair.relations == ("directed_by", "starred_actors")
    assert pair.whole == "somebody else made this film , a drama , with she ."
    assert pair.between == "this film , a drama , with she"
    assert pair.phrasing == pairs["Heat", "drama"].phrasing == "made a with"


def proposal(**changes: object) -> Proposal:
    heat = Named(id="movie:Heat", kind="movie", name="Heat", known=True, start=0, end=4)
    mann = Named(id="person:Mann", kind="person", name="Mann", known=False, start=20, end=24)
    made = Proposal(
        subject=heat,
        relation="directed_by",
        object=mann,
        confidence=0.75,
        evidence=Evidence(document="a.txt", sentence="Heat was directed by Mann.", start=0, end=26),
        texts=("a", "b", "c"),
        relations=("directed_by", "starred_actors"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_proposals_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    made = [proposal(), proposal(accept=True), proposal(relation=None, object=None, texts=None, relations=())]
    assert write_proposals(path, made) == 3
    assert read_proposals(path) == made


@pytest.mark.parametrize("line", ["{}", "nothing", "[1]", '{"subject": 3}'])
def test_a_line_that_is_no_proposal_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "proposals.jsonl"
    write_proposals(path, [proposal()])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InvalidInputError, match="line 2 is no proposal"):
        read_proposals(path)


def test_a_decision_is_true_false_or_null(tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    write_proposals(path, [proposal()])
    path.write_text(path.read_text().replace('"accept": null', '"accept": "yes"'))
    with pytest.raises(InvalidInputError, match="expected true, false or null"):
        read_proposals(path)


def test_decisions_become_examples() -> None:
    rows = labelled([proposal(), proposal(accept=True), proposal(accept=False)])
    assert [row.label for row in rows] == ["directed_by", ""]

"""The parts of extraction that need no model and no server: sentences, mentions, pairs, and files of proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction import Known, NameList, Proposal, labelled, read_proposals, write_proposals
from rejoinder.graph.extraction.mentions import ORDINARY, find_mentions
from rejoinder.graph.extraction.pairs import pairs_of
from rejoinder.graph.extraction.proposals import Evidence, Named
from rejoinder.graph.extraction.sentences import sentences_of
from rejoinder.graph.extraction.threshold import choose_threshold
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
        ("Airplane! is a comedy. So is Help!", ["Airplane! is a comedy.", "So is Help!"]),
        ("Who? was seen… and liked. Why?", ["Who? was seen… and liked.", "Why?"]),
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


def ordinary(texts: Sequence[str]) -> list[dict[str, float]]:
    """Takes a few words for ordinary ones, and all else for people."""
    return [
        {ORDINARY: 0.9, "person": 0.1} if text in {"Critics", "Director", "Fans"} else {"person": 0.9} for text in texts
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Critics praised Val Kilmer.", ["Val Kilmer"]),
        ("Director Jon Voight left.", ["Jon Voight"]),
        ("Fans of the Jon Voight club left.", ["Jon Voight"]),
        ("Kilmer left.", ["Kilmer"]),
    ],
)
def test_ordinary_words_that_begin_a_sentence_are_no_names(sentence: str, expected: list[str]) -> None:
    [mentions] = find_mentions([sentence], NAMES, ordinary)
    assert [one.text for one in mentions] == expected


def test_a_name_of_several_kinds_is_first_what_is_written_so_and_then_what_it_looks_like() -> None:
    names = NameList(
        [
            Known("tag:al pacino", "tag", "al pacino"),
            Known("person:Al Pacino", "person", "Al Pacino"),
            Known("movie:1995", "movie", "1995"),
            Known("year:1995", "year", "1995"),
        ]
    )
    [mentions] = find_mentions(["Al Pacino, 1995"], names, lambda texts: [{"year": 0.9, "tag": 0.1} for _ in texts])
    assert [[one.kind for one in mention.meant] for mention in mentions] == [["person", "tag"], ["year", "movie"]]


def test_pairs_are_marked_and_have_the_relations_that_their_kinds_allow() -> None:
    sentence = "Michael Mann made Heat, a drama, with Al Pacino."
    [mentions] = find_mentions([sentence], NAMES)
    pairs = {(one.subject[0].text, one.object[0].text): one for one in pairs_of(sentence, mentions, SCHEMA)}
    assert pairs.keys() == {("Heat", "Michael Mann"), ("Heat", "Al Pacino"), ("Heat", "drama")}
    pair = pairs["Heat", "Al Pacino"]
    assert pair.relations == ("directed_by", "starred_actors")
    assert pair.whole == "somebody else made this film , a drama , with she ."
    assert pair.between == "this film , a drama , with she"
    assert pair.near == "drama , with she ."
    assert pair.clause == "with she ."
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
        texts=("a", "b", "c", "d", "e"),
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


def test_a_proposal_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    write_proposals(path, [proposal()])
    path.write_text(path.read_text().replace('["a", "b", "c", "d", "e"]', '["a", "b", "c"]'))
    with pytest.raises(InvalidInputError, match="line 1 has 3 texts, expected 5"):
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


def test_the_threshold_keeps_the_precision_with_a_margin_for_how_much_groups_differ() -> None:
    random = np.random.default_rng(0)
    likely = np.sort(random.random(600).astype(np.float32))[::-1].copy()
    right = random.random(600) < likely**0.3
    group = random.integers(0, 60, 600)
    weight = random.uniform(0.5, 2, 600).astype(np.float32)
    expected = {}
    for last in range(600):
        said = np.bincount(group[: last + 1], weight[: last + 1], minlength=60)
        hits = np.bincount(group[: last + 1], (weight * right)[: last + 1], minlength=60)
        share = hits.sum() / said.sum()
        error = np.sqrt(((hits - share * said) ** 2).sum()) / said.sum()
        if said.sum() >= 20 and share - 1.645 * error >= 0.9:
            expected = {"threshold": likely[last], "precision": share, "recall": hits.sum() / (weight * right).sum()}
    assert 0 < expected["recall"] < 1
    assert choose_threshold(likely, right, weight, group, 0.9) == pytest.approx(expected)


def test_where_no_margin_can_be_kept_the_precision_itself_decides_and_few_examples_say_nothing() -> None:
    likely = np.linspace(1, 0, 40, dtype=np.float32)
    right = np.arange(40) % 10 != 0
    every = np.ones(40, dtype=np.float32), np.arange(40)
    assert choose_threshold(likely, right, *every, 0.9)["recall"] == 1.0
    nothing = {"threshold": 0.5, "precision": 0.0, "recall": 0.0}
    assert choose_threshold(likely[:10], right[:10], every[0][:10], every[1][:10], 0.9) == nothing

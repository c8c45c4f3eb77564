"""Relation paths as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.paths import MAX_HOPS, parse_path, path_text
from rejoinder.graph.answering.ranker import is_path
from rejoinder.graph.values import Step

steps = st.builds(Step, relation=st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), inverse=st.booleans())


@given(st.lists(steps, min_size=1, max_size=MAX_HOPS).map(tuple))
def test_what_was_written_is_read(path: tuple[Step, ...]) -> None:
    assert parse_path(path_text(path)) == path
    assert is_path(path_text(path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a//b",
        "a/b/c/d",
        "A",
        "a b",
        "^",
        "^^a",
        "a`]->(n) DETACH DELETE n //",
        "a\n",
        "1a",
        "a/",
        "é",
        "x" * 65,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a relation path"):
        parse_path(text)
    assert not is_path(text)
    assert not is_path(None)

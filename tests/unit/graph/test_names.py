"""One form of a name, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.names import entity_id, normalised, split_id


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Café  Müller!", "café müller"),
        ("cafe\u0301 MÜLLER", "café müller"),
        ("Schindler's List", "schindler s list"),
        ("Schindler\u2019s\tList ", "schindler s list"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("電影 ＡＢＣ", "電影 abc"),
        ("zero\u200bwidth", "zerowidth"),
        ("C++", "c++"),
        ("$", "$"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_forms(written: str, form: str) -> None:
    assert normalised(written) == form


@given(st.text(min_size=1))
def test_a_form_is_its_own_form_and_never_empty(text: str) -> None:
    form = normalised(text)
    assert normalised(form) == form
    assert form or not text.strip()


def test_ids() -> None:
    assert entity_id("person", "Mel: Gibson") == "person:Mel: Gibson"
    assert split_id("person:Mel: Gibson") == ("person", "Mel: Gibson")
    assert split_id("q42") == ("", "q42")

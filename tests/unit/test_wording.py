"""The tone of a tenant's bot."""

from __future__ import annotations

import pytest
from rejoinder.payloads import Entity, Query
from rejoinder.wording import WordingSettings, WordingTexts, named_in, worded, wording_of


def test_tones_put_words_around_answers_and_greet_once() -> None:
    assert worded(["Yes."], WordingSettings(), {}, first=True, closes=True) == ("Yes.",)
    friendly = WordingSettings(tone="friendly")
    greeting, answer, closing = worded(["Yes."], friendly, {}, first=True, closes=True)
    assert (greeting[:2], answer, closing[-1]) == ("Hi", "Yes.", "?")
    assert worded(["Yes.", "No."], friendly, {}, first=False, closes=False) == ("Yes.", "No.")


def test_words_of_ones_own_are_filled() -> None:
    texts = WordingTexts(answer="{answer} (see {title})", closing="Yours, {company}")
    own = WordingSettings(tone="own", texts=texts, values={"company": "Acme"})
    said = worded(["It {is}."], own, {"title": "Help", "company": "of the message"}, first=True, closes=True)
    assert said == ("It {is}. (see Help)", "Yours, Acme")


def test_what_an_agent_sent_with_its_closing_words_is_not_closed_twice() -> None:
    formal = WordingSettings(tone="formal")
    (_, closing) = worded(["Yes."], formal, {}, first=False, closes=True)
    assert worded([f"Yes.\n{closing}"], formal, {}, first=False, closes=True) == (f"Yes.\n{closing}",)


def test_a_template_without_the_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="answer"):
        WordingTexts(answer="Hello")


def test_slots_of_one_value_come_before_entities_and_lists_are_no_words() -> None:
    query = Query(
        text="x",
        entities=(Entity(name="order", value="1"), Entity(name="place", value="Ely")),
        filters={"order": 2, "sure": True, "order.earlier": ["3"]},
    )
    assert named_in(query) == {"order": "2", "place": "Ely"}


def test_a_tenant_without_the_table_has_the_defaults() -> None:
    assert wording_of({}).tone == "plain"

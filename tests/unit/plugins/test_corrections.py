"""The plugin `corrections`: what was taught is answered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies
from rejoinder.payloads import Query
from rejoinder_plugins.corrections import CorrectionsPlugin, CorrectionsSettings


def match(label: str = "Ask at the desk.", similarity: float = 1.0, trust: float = 1.0) -> SimpleNamespace:
    return SimpleNamespace(label=label, similarity=similarity, trust=trust)


async def offered(bench: Any, models: Any, query: Query, remembered: Any, settings: Any = None) -> Any:
    one = bench(
        models=models(taught={query.text or "": remembered} if remembered else {}),
        settings={"corrections": settings} if settings else {},
        corrections=CorrectionsPlugin(),
    )
    return await one.call("retrieve_answers", query)


async def test_a_taught_answer_is_offered_with_its_source(bench: Any, models: Any) -> None:
    (answer,) = await offered(bench, models, Query(text="where?"), match())
    assert (answer.text, answer.source, answer.score) == ("Ask at the desk.", "correction", 1.0)
    assert answer.intent is None
    (citation,) = answer.citations
    assert (citation.source, citation.title, citation.quote) == ("correction", "Taught by a person", None)


async def test_less_trust_scores_less_but_still_above_shipped_answers(bench: Any, models: Any) -> None:
    (answer,) = await offered(bench, models, Query(text="where?"), match(similarity=0.8, trust=0.6))
    assert 0.95 < answer.score < 1.0


async def test_the_same_answer_has_the_same_id(bench: Any, models: Any) -> None:
    (one,) = await offered(bench, models, Query(text="a"), match())
    (other,) = await offered(bench, models, Query(text="b"), match(similarity=0.9))
    assert one.id == other.id


@pytest.mark.parametrize(
    ("query", "remembered"),
    [
        (Query(text="where?"), None),
        (Query(text="where?"), match(label="  ")),
        (Query(text="  "), match()),
        (Query(text=None), match()),
        (Query(text="where?", kind="recommendation"), match()),
    ],
    ids=["nothing taught", "blank label", "blank text", "no text", "a list"],
)
async def test_nothing_is_offered(bench: Any, models: Any, query: Query, remembered: Any) -> None:
    assert await offered(bench, models, query, remembered) == ()


shares = strategies.floats(min_value=-2, max_value=2)


@given(shares, shares, strategies.floats(min_value=0, max_value=1))
def test_scores_stay_in_range(similarity: float, trust: float, least: float) -> None:
    import asyncio

    context: Any = SimpleNamespace(settings=CorrectionsSettings(min_score=least))

    async def recall(task: str, text: str) -> Any:
        return match(similarity=similarity, trust=trust)

    context.models = SimpleNamespace(recall=recall)
    (answer,) = asyncio.run(CorrectionsPlugin().retrieve_answers(Query(text="x"), context))
    assert least <= answer.score <= 1.0

"""The documents plugin's own parts: wording, extracts, ids; and what feedback teaches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bm25s", reason="needs the extra rejoinder[documents]")

from rejoinder.documents.index import IndexedPassage, PassageIndex
from rejoinder.models.learner import Prediction, Span
from rejoinder.payloads import Query, Reward
from rejoinder_plugins.documents import DocumentsPlugin, DocumentsSettings
from rejoinder_plugins.documents.finding import find
from rejoinder_plugins.documents.lessons import answer_id, parsed

TEXT = (
    "Parcels leave every morning. Refunds are paid within five days of the return. Cards are blocked at once. "
    "Shops are open until eight. Call us any time."
)


def passage(text: str = TEXT, **values: Any) -> IndexedPassage:
    made: dict[str, Any] = {
        "document_id": "help#1.md",
        "revision": 3,
        "number": 2,
        "title": "Help",
        "url": None,
        "headings": ("Help", "Money"),
        "text": text,
        "start": 100,
        "kind": "text",
        "vector": np.eye(8, dtype=np.float32)[0],
    }
    return IndexedPassage(**(made | values))


class Documents:
    """Documents in memory, of which one may be gone from the store."""

    def __init__(self, *passages: IndexedPassage, gone: bool = False) -> None:
        self._index = PassageIndex(passages)
        self._gone = gone

    async def index(self, *, wait_s: float = 1.0) -> PassageIndex:
        return self._index

    async def is_current(self, document_id: str, revision: int) -> bool:
        return not self._gone


class Models:
    """No ranker; a reader that points at some words, if it is given any."""

    def __init__(
        self, words: str | None = None, *, accepted: bool = True, in_scope: float = 1.0, version: str = "qa-1"
    ) -> None:
        self._words, self._accepted, self._in_scope = words, accepted, in_scope
        self.versions = {"question_answering": version}

    async def encode(self, text: str) -> Any:
        return np.eye(8, dtype=np.float32)[0]

    def learner(self, task: str) -> Any:
        return SimpleNamespace(size=lambda: 1) if task == "question_answering" and self._words else None

    async def predict(self, task: str, text: str, other: str | None = None) -> Prediction:
        assert other is not None
        assert self._words is not None
        start = other.index(self._words)
        span = Span(start=start, end=start + len(self._words), text=self._words, confidence=0.9)
        return Prediction(
            label=self._words,
            confidence=0.9,
            ranking=(),
            in_scope=self._in_scope,
            accepted=self._accepted,
            spans=(span,),
        )


def a_context(documents: Documents, models: Models | None = None, **settings: Any) -> Any:
    return SimpleNamespace(
        documents=documents,
        models=models or Models(),
        settings=DocumentsSettings(**settings),
        graph=None,
        remaining_s=2.0,
        tenant="acme",
    )


async def answers(context: Any, text: str = "when are refunds paid") -> Any:
    return await DocumentsPlugin().retrieve_answers(Query(text=text), context)


async def test_without_a_reader_the_sentences_that_share_most_are_said():
    [answer] = await answers(a_context(Documents(passage()), max_sentences=1))
    assert answer.text == "Refunds are paid within five days of the return."
    [citation] = answer.citations
    assert citation.title == "Help > Money"
    assert citation.span.start == 100 + TEXT.index("Refunds")
    assert citation.quote == TEXT[citation.span.start - 100 : citation.span.end - 100]


async def test_the_rows_of_a_table_are_said_together():
    table = "Parcels: we pay.\n\nSize: Small; Price: 3 pounds\nSize: Large; Price: 9 pounds"
    text = f"{table}\n\nCall us any time. We are there."
    [answer] = await answers(a_context(Documents(passage(text)), max_sentences=2), "how much is a large parcel")
    assert answer.text == table


async def test_a_reader_chooses_the_sentence_and_may_doubt_the_passage():
    sure = await answers(a_context(Documents(passage()), Models("until eight")))
    assert sure[0].text == "Shops are open until eight."
    doubt = await answers(a_context(Documents(passage()), Models("until eight", accepted=False, in_scope=0.1)))
    assert doubt[0].score == pytest.approx(0.1 * sure[0].score)
    unread = await answers(a_context(Documents(passage()), Models("until eight"), read=False, max_sentences=1))
    assert "five days" in unread[0].text


async def test_a_reader_that_only_feedback_taught_is_not_asked():
    [answer] = await answers(
        a_context(Documents(passage()), Models("until eight", version="memory+1"), max_sentences=1)
    )
    assert answer.text == "Refunds are paid within five days of the return."


async def test_what_is_gone_from_the_store_is_left_out():
    context = a_context(Documents(passage(), gone=True))
    found = tuple(await answers(context))
    assert await DocumentsPlugin().rank_answers(Query(text="x"), found, context) == []


def test_an_answers_id_comes_back_whatever_the_documents_is():
    for document_id in ("a", "faq/a.md", "odd#1@2:x", "ü@"):
        one = passage(document_id=document_id)
        assert parsed(answer_id(one)) == (document_id, 2, 3)
    assert parsed("faq:card") is None


async def test_names_of_entities_in_the_graph_find_passages_that_words_do_not():
    class Graph:
        async def ask(self, function: Any, *arguments: Any) -> Any:
            return function(self, *arguments)

        def link(self, text: str, *, limit: int) -> Any:
            entity = SimpleNamespace(name="Zippy Couriers", aliases=("ZC",))
            return [SimpleNamespace(entity=entity)] if "big z" in text else []

    zippy = passage("Parcels by Zippy arrive on Mondays.", number=7, vector=None)
    context = a_context(Documents(passage("Shops open at eight.", vector=None), zippy))
    assert await answers(context, "does the big z come") == []
    context.graph = Graph()
    found = await find("does the big z come", context, limit=3)
    assert [one.passage.number for one in found] == [7]


async def lessons(given: Any, value: float, correction: str | None = None, models: Models | None = None) -> Any:
    """What a reward on the answer from the first of two passages teaches."""
    other = passage("Parcels are brought by a courier called Zippy.", number=9, headings=("Parcels",))
    context = a_context(Documents(passage(), other), models)
    decision = given.decision(input="when are refunds paid", chosen=(answer_id(passage()),))
    reward = Reward(task="passage_ranking", value=value, reason="x", about="answer", correction=correction)
    feedback = given.feedback("thumbs", 1, role="customer")
    return await DocumentsPlugin().make_examples(reward, feedback, decision, context)


async def test_thumbs_teach_the_ranker_and_the_reader_of_what_was_cited(given: Any):
    ranked, read = await lessons(given, 1.0, models=Models("five days"))
    assert (ranked.task, ranked.label, ranked.other.split("\n")[0]) == ("passage_ranking", "yes", "Help > Money")
    assert len(ranked.target["features"]) > 10
    assert (read.task, read.polarity, read.target["answers"][0]["text"]) == (
        "question_answering",
        "positive",
        "five days",
    )
    [down] = await lessons(given, 0.0)
    assert down.label == "no"
    assert await lessons(given, 0.5) == []


async def test_a_correction_that_quotes_a_passage_lifts_it_and_teaches_the_reader(given: Any):
    down, up, read = await lessons(given, 0.0, correction="a courier called Zippy")
    assert (down.label, up.label) == ("no", "yes")
    assert up.other.startswith("Parcels\n")
    assert read.polarity == "correction"
    [answer] = read.target["answers"]
    assert read.other[answer["start"] : answer["end"]] == "a courier called Zippy"
    [only] = await lessons(given, 0.0, correction="nowhere to be found")
    assert only.label == "no"


async def test_a_document_that_changed_since_teaches_nothing(given: Any):
    context = a_context(Documents(passage(revision=4)))
    decision = given.decision(input="when are refunds paid", chosen=(answer_id(passage()),))
    reward = Reward(task="passage_ranking", value=1.0, reason="x", about="answer")
    assert await DocumentsPlugin().make_examples(reward, given.feedback("thumbs", 1), decision, context) == []

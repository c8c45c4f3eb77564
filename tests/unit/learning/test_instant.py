"""Every piece of feedback counts from the very next message on."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.learning.holdback import held_back
from rejoinder.learning.instant import CORRECTION_WEIGHT, MOST_WEIGHT, InstantLearner
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Prediction
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example
from rejoinder.testing import HashEncoder

KNOWN = {
    "card_lost": ["I lost my card", "my card is gone", "someone stole my card"],
    "card_late": ["my new card has not come", "where is the card I ordered", "card still not delivered"],
    "rate": ["what is the exchange rate", "which rate do you use for euros", "how is the rate set"],
}


class Desk:
    """An instant learner with its encoder, spoken to in plain texts."""

    def __init__(self, encoder: Encoder, *, every: int = 0, oos_label: str | None = None, empty: bool = False) -> None:
        self.encoder = encoder
        memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
        head = TextClassifier()
        if not empty:
            texts = [(text, label) for label, known in KNOWN.items() for text in known]
            vectors = encoder.encode([text for text, _ in texts])
            head.fit(
                [Example(id=text, task="intent", text=text, label=label) for text, label in texts], vectors, seed=0
            )
            memory.observe(vectors, [label for _, label in texts])
        self.learner = InstantLearner(head, memory, hold_back_every=every, oos_label=oos_label)

    def ask(self, text: str) -> Prediction:
        return self.learner.predict(text, self.encoder.encode([text])[0])

    def correct(self, text: str, label: str) -> str:
        return self.learner.correct(text, self.encoder.encode([text])[0], label)

    def reject(self, text: str, label: str) -> str:
        return self.learner.reject(text, self.encoder.encode([text])[0], label)

    def confirm(self, text: str, label: str) -> str:
        return self.learner.confirm(text, self.encoder.encode([text])[0], label)


@pytest.fixture
def desk(encoder: Encoder) -> Desk:
    return Desk(encoder)


def test_a_correction_counts_from_the_next_message(desk: Desk) -> None:
    desk.correct("my plastic went walkies", "card_lost")
    assert desk.ask("my plastic went walkies").label == "card_lost"
    assert desk.ask("My plastic  went walkies").source == "memory"
    assert desk.ask("my plastic has gone walkies").label == "card_lost"


def test_a_correction_can_bring_a_new_label(desk: Desk) -> None:
    desk.correct("please close my account", "close_account")
    assert desk.ask("I want you to close my account").label == "close_account"


def test_the_last_correction_of_a_text_wins(desk: Desk) -> None:
    for label in ("rate", "card_late", "card_lost"):
        desk.correct("hmm card", label)
        assert desk.ask("hmm card").label == label


def test_unlike_texts_keep_their_answers(desk: Desk) -> None:
    desk.correct("my plastic went walkies", "card_late")
    assert desk.ask("what is the exchange rate today").label == "rate"


def test_a_thumbs_down_never_gives_the_same_answer_again(desk: Desk) -> None:
    text = "card"
    seen = []
    for _ in KNOWN:
        label = desk.ask(text).label
        assert label not in seen
        seen.append(label)
        desk.reject(text, label)
    assert not desk.ask(text).accepted


def test_a_thumbs_up_confirms_after_a_thumbs_down(desk: Desk) -> None:
    desk.reject("card", "card_lost")
    desk.confirm("card", "card_lost")
    assert desk.ask("card").label == "card_lost"


def test_a_forgotten_correction_has_no_effect_left(desk: Desk) -> None:
    before = desk.ask("my plastic went walkies")
    made = desk.correct("my plastic went walkies", "zebra")
    assert desk.learner.forget([made])
    assert not desk.learner.forget([made])
    after = desk.ask("my plastic went walkies")
    assert after.label == before.label
    assert "memory" not in (before.source, after.source)


def test_a_held_back_text_enters_the_memory_and_no_model(encoder: Encoder) -> None:
    desk = Desk(encoder, every=1)
    head = desk.learner.learner
    text = "my plastic went walkies"
    vector = encoder.encode([text])
    before = head.predict_batch([text], vector)
    desk.correct(text, "zebra")
    assert held_back(text, 1)
    assert head.predict_batch([text], vector) == before
    assert desk.ask(text).label == "zebra"


def test_an_out_of_scope_correction_is_not_accepted(encoder: Encoder) -> None:
    desk = Desk(encoder, oos_label="oos")
    desk.correct("card games", "oos")
    found = desk.ask("card games")
    assert (found.label, found.accepted) == ("oos", False)
    assert found.in_scope < 0.5


def test_nothing_known_says_so_until_the_first_correction(encoder: Encoder) -> None:
    desk = Desk(encoder, empty=True)
    with pytest.raises(ModelNotReadyError):
        desk.ask("hello")
    desk.correct("hello", "greet")
    assert desk.ask("hello").label == "greet"


def test_a_swapped_head_keeps_the_memory(desk: Desk, encoder: Encoder) -> None:
    desk.correct("my plastic went walkies", "card_lost")
    other = Desk(encoder)
    old = desk.learner.swap(other.learner.learner)
    assert old is not desk.learner.learner
    assert desk.ask("my plastic went walkies").label == "card_lost"


class Recorder:
    """A head that says one label to everything, and keeps what it is taught."""

    def __init__(self) -> None:
        self.says = "rate"
        self.taught: list[Example] = []

    def update(self, examples: list[Example], vectors: object) -> None:
        self.taught += examples

    def predict_batch(self, texts: list[str], vectors: object) -> list[Prediction]:
        one = Prediction(label=self.says, confidence=0.3, ranking=((self.says, 0.3),), in_scope=0.5, accepted=True)
        return [one for _ in texts]


def taught(*, every: int = 0) -> tuple[InstantLearner, Recorder]:
    head = Recorder()
    memory = CorrectionMemory(encoder_hash="x", dim=2)
    return InstantLearner(head, memory, hold_back_every=every), head  # type: ignore[arg-type]  # all that is used of it


def at(cosine: float) -> NDArray[np.float32]:
    return np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float32)


def test_weights_reach_the_head_up_to_a_bound() -> None:
    learner, head = taught()
    for weight in (1.0, 2.0, 3.0, 1000.0):
        learner.correct("a", at(1.0), "card_lost", weight=weight)
    learner.confirm("b", at(0.0), "rate")
    assert [one.weight for one in head.taught] == [
        CORRECTION_WEIGHT,
        2 * CORRECTION_WEIGHT,
        3 * CORRECTION_WEIGHT,
        MOST_WEIGHT,
        1.0,
    ]


def test_a_weight_of_nothing_teaches_nothing_and_a_negative_one_is_refused() -> None:
    learner, head = taught()
    learner.correct("a", at(1.0), "card_lost", weight=0.0)
    assert not head.taught
    assert learner.predict("a", at(1.0)).label == "rate"
    with pytest.raises(InvalidInputError, match="weight must be >= 0"):
        learner.correct("a", at(1.0), "card_lost", weight=-1.0)


def test_a_head_that_repeats_the_mistake_is_overruled_near_by_only() -> None:
    learner, _ = taught()
    learner.correct("a", at(1.0), "card_lost")
    assert learner.predict("a paraphrase", at(0.9)).source == "memory"
    assert learner.predict("farther off", at(0.79)).source != "memory"


def test_a_head_that_weighed_the_correction_and_says_something_else_is_believed() -> None:
    learner, head = taught()
    learner.correct("a", at(1.0), "card_lost")
    head.says = "card_late"
    assert learner.predict("a paraphrase", at(0.9)).label == "card_late"
    assert learner.predict("A", at(1.0)).label == "card_lost"


def test_a_head_that_never_learned_the_correction_is_overruled_by_trust() -> None:
    learner, head = taught(every=1)
    learner.correct("a", at(1.0), "card_lost")
    assert not head.taught
    assert learner.predict("farther off", at(0.79)).source == "memory"


def test_an_empty_label_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInputError, match="at least one character"):
        desk.correct("x", "")


def test_readers_beside_a_writer_see_whole_states(desk: Desk, encoder: Encoder) -> None:
    texts = [f"my parcel number {i} is broken" for i in range(30)]
    vectors = encoder.encode(texts)
    probe = encoder.encode(["what is the exchange rate"])[0]
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                found = desk.learner.predict("what is the exchange rate", probe)
                assert np.isfinite(found.confidence)
                assert found.label == "rate"
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
        desk.learner.correct(text, vector, f"label {i % 4}")
    done.set()
    for reader in readers:
        reader.join()
    assert errors == []


def feedback(count: int) -> list[Example]:
    """Corrections, confirmations and rejections, some about the same text."""
    polarities = ("correction", "positive", "negative")
    labels = list(KNOWN)
    return [
        Example(
            id=f"e{number}",
            task="intent",
            text=f"my question about thing {number % 19} please",
            label=labels[number % 3],
            polarity=polarities[number // 7 % 3],
            weight=0.0 if number == 5 else 1.0 + number % 4,
        )
        for number in range(count)
    ]


def test_feedback_replayed_at_once_says_what_it_said_one_by_one() -> None:
    encoder: Any = HashEncoder()
    one_by_one, at_once = Desk(encoder, every=10), Desk(encoder, every=10)
    examples = feedback(45)
    vectors = encoder.encode([example.text for example in examples])
    for example, vector in zip(examples, vectors, strict=True):
        one_by_one.learner.replay([example], vector[None])
    at_once.learner.replay(examples, vectors)

    for text in {example.text for example in examples} | {text for known in KNOWN.values() for text in known}:
        first, second = one_by_one.ask(text), at_once.ask(text)
        assert (first.label, first.source) == (second.label, second.source), text
        assert first.confidence == pytest.approx(second.confidence, abs=0.02)


def test_a_replay_with_a_bad_label_learns_nothing(desk: Desk) -> None:
    examples = [*feedback(3), Example(id="bad", task="intent", text="bad", label="")]
    with pytest.raises(InvalidInputError, match="at least one character"):
        desk.learner.replay(examples, desk.encoder.encode([example.text for example in examples]))
    assert len(desk.learner.memory) == 0


def test_the_head_may_read_other_vectors_than_the_memory(encoder: Encoder) -> None:
    memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
    head = TextClassifier()
    texts = [(text, label) for label, known in KNOWN.items() for text in known]
    turned = np.roll(encoder.encode([text for text, _ in texts]), 5, axis=1)
    head.fit([Example(id=t, task="intent", text=t, label=label) for t, label in texts], turned, seed=0)
    learner = InstantLearner(head, memory, hold_back_every=0)
    vector = encoder.encode(["please stop my stolen plastic"])[0]
    taught = Example(
        id="e", task="intent", text="please stop my stolen plastic", label="card_lost", polarity="correction"
    )
    learner.replay([taught], vector[None], adapted=np.roll(vector, 5)[None])

    said = learner.predict("please stop my stolen plastic now", vector, adapted=np.roll(vector, 5))
    assert said.label == "card_lost"
    match = memory.match("please stop my stolen plastic now", vector)
    assert match is not None
    assert match.similarity == pytest.approx(1.0, abs=1e-5)

"""The objectives: what they make of examples, and that training lowers their losses."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, SettingsError
from rejoinder.models.tasks.windows import MAX_PIECES
from rejoinder.models.training.base import Base
from rejoinder.models.training.features import Read
from rejoinder.models.training.loop import train
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.objectives.multi_label import MultiLabel
from rejoinder.models.training.objectives.objective import Objective
from rejoinder.models.training.objectives.pair import Pair, compare
from rejoinder.models.training.objectives.span import Span
from rejoinder.models.training.objectives.tags import Tags
from rejoinder.models.training.progress import Progress
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

from tests.support.tiny_encoder import FILL

SETTINGS = TrainingSettings(epochs=12, batch_size=16, dev_share=0.25, patience=12, learning_rate=1e-3, device="cpu")


def example(number: int, text: str, **more: Any) -> Example:
    return Example(id=str(number), task="t", text=text, **more)


def several_labels(draw: random.Random, number: int) -> Example:
    words = [word for word in ("rose", "fell", "grew") if draw.random() < 0.5]
    text = " ".join(draw.sample([*words, *draw.choices(FILL, k=4)], k=len(words) + 4))
    return example(number, text, target=words)


def pair(draw: random.Random, number: int) -> Example:
    first, second = ("rose", "rose") if number % 2 else ("rose", "fell")
    return example(
        number,
        f"{first} {' '.join(draw.choices(FILL, k=3))}",
        other=f"{second} {' '.join(draw.choices(FILL, k=3))}",
        label="yes" if number % 2 else "no",
    )


def question(draw: random.Random, number: int) -> Example:
    words = draw.choices(FILL, k=6)
    if number % 3 == 0:
        return example(number, "who rose", other=" ".join(words))
    words[draw.randrange(6)] = "firm"
    passage = " ".join(words)
    start = passage.index("firm")
    return example(number, "who rose", other=passage, target={"answers": [{"text": "firm", "start": start}]})


def slots(draw: random.Random, number: int) -> Example:
    words = draw.choices(FILL, k=4)
    words[draw.randrange(4)] = "sales grew"
    text = " ".join(words)
    start = text.index("sales")
    return example(number, text, target=[{"start": start, "end": start + 10, "label": "event"}])


@pytest.mark.parametrize(
    ("make", "objective_of", "metric"),
    [
        pytest.param(several_labels, MultiLabel.of, "micro_f1", id="multi-label"),
        pytest.param(pair, Pair.of, "accuracy", id="pairs"),
        pytest.param(question, lambda _: Span(), "f1", id="qa"),
        pytest.param(slots, Tags.of, "f1", id="tags"),
    ],
)
def test_training_lowers_the_loss_and_beats_chance(
    make: Callable[[random.Random, int], Example],
    objective_of: Callable[[Sequence[Example]], Objective],
    metric: str,
    tiny: Base,
) -> None:
    draw = random.Random(0)
    examples = [make(draw, number) for number in range(64)]
    seen: list[Progress] = []
    made = train(examples, objective_of(examples), base=tiny, settings=SETTINGS, report=seen.append)
    assert seen[-1].loss < 0.7 * seen[0].loss
    assert made.metrics[metric] > 0.7
    assert all(np.isfinite(array).all() for array in made.head.values())


def test_several_labels_know_none_and_the_label_alone(tiny: Base) -> None:
    objective = MultiLabel(["a", "b"])
    found = objective.features(
        [
            example(0, "up", target=["b", "a"]),
            example(1, "up", target=[]),
            example(2, "up", label="b"),
            example(3, "up"),
        ],
        tiny,
    )
    assert [one.target for one in found] == [([0, 1], False), ([], False), ([1], False)]


def test_rare_labels_count_more_as_far_as_asked(tiny: Base) -> None:
    examples = [example(number, "up", label="rare" if number == 0 else "usual") for number in range(4)]

    def weights(balance: float) -> list[float]:
        objective = Classification.of(examples, balance=balance)
        return [one.weight for one in objective.balanced(objective.features(examples, tiny))]

    assert weights(0.0) == [1, 1, 1, 1]
    assert weights(1.0) == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert weights(0.5) == pytest.approx([2**0.5, *[(2 / 3) ** 0.5] * 3])
    with pytest.raises(SettingsError, match="balance 2"):
        Classification(["a"], balance=2)


def test_a_pair_without_its_second_text_is_told(tiny: Base) -> None:
    with pytest.raises(InvalidInputError, match="example 0: a pair needs a second text"):
        Pair(["yes"]).features([example(0, "up", label="yes")], tiny)


def test_comparisons_are_symmetric_and_alike_for_numpy_and_torch() -> None:
    import torch

    first, second = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(compare(first, second), compare(second, first))
    np.testing.assert_allclose(compare(torch.tensor(first), torch.tensor(second)).numpy(), compare(first, second))


def test_a_long_passage_gives_windows_of_which_one_or_more_hold_the_answer(tiny: Base) -> None:
    words = ["the"] * 100
    words[70] = "firm"
    passage = " ".join(words)
    start = passage.index("firm")
    wanted = example(0, "who rose", other=passage, target={"start": start, "end": start + 4})
    found = Span(absent_weight=0.5).features([wanted], tiny)
    firm = tiny.tokeniser.encodings(["firm"])[0].ids[1]
    holding = [one for one in found if one.target.answers]
    assert len(found) > 2
    assert 1 <= len(holding) < len(found)
    for one in holding:
        [(first, last)] = one.target.answers
        assert first == last
        assert one.rows[0].ids[first] == firm
    assert {one.weight for one in found if not one.target.answers} == {0.5}
    assert max(one.length for one in found) <= tiny.tokeniser.max_tokens
    assert all(one.rows[0].types[-2] == 1 for one in found)


def test_of_several_answers_any_is_right(tiny: Base) -> None:
    import torch

    passage = "the firm rose"
    answers = [{"start": 4, "end": 8}, {"start": 4, "end": 13}, {"start": 9, "end": 13}]
    [found] = Span().features([example(0, "who", other=passage, target={"answers": answers})], tiny)
    first, *_, last = places = sorted({place for one in found.target.answers for place in one})
    assert len(found.target.answers) == 3
    for start, end in [(first, last), (first, first), (last, last)]:
        assert Span().score([(start, end, 1.0)], [found]) == {"exact_match": 1.0, "f1": 1.0}
    assert Span().score([(places[0] - 3, places[0] - 3, 1.0)], [found])["f1"] == 0.0

    def loss(answers: Sequence[tuple[int, int]]) -> float:
        one = replace(found, target=found.target._replace(answers=tuple(answers)))
        read = Read(torch.zeros(1, 1, 2), scores, torch.ones(1, scores.shape[1]))
        return float(Span().loss(torch.nn.Identity(), read, [one]))

    scores = torch.zeros(1, found.length, 2)
    scores[0, first] = 5.0
    assert loss([(first, first)]) < loss([(last, last)])
    assert loss([(first, first), (last, last)]) < loss([(first, first)])


def test_a_question_longer_than_the_encoder_leaves_room_for_the_passage(tiny: Base) -> None:
    found = Span().features([example(0, "who " * 5000, other="firm rose")], tiny)
    firm = tiny.tokeniser.encodings(["firm"])[0].ids[1]
    assert len(found) == 1
    assert firm in found[0].rows[0].ids


def test_tokens_of_a_span_begin_and_continue_and_special_tokens_are_ignored(tiny: Base) -> None:
    objective = Tags(["event"])
    [found] = objective.features(
        [example(0, "the sales grew", target=[{"start": 4, "end": 14, "label": "event"}])], tiny
    )
    assert objective.tags == ("O", "B-event", "I-event")
    assert found.target == [-100, 0, 1, 2, -100]
    assert objective.score([[0, 0, 1, 2, 0]], [found]) == {"f1": 1.0}
    assert objective.score([[0, 0, 1, 0, 0]], [found]) == {"f1": 0.0}


@pytest.mark.parametrize(
    "make", [lambda: Classification([]), lambda: MultiLabel([]), lambda: Tags([]), lambda: Pair.of([])]
)
def test_nothing_to_learn_from_is_told(make: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInputError, match="nothing to learn from"):
        make()


def test_unknown_labels_are_told_with_the_closest(tiny: Base) -> None:
    with pytest.raises(
        InvalidInputError, match=r"label 'evnt' is not among the 1 labels to learn. Did you mean 'event'"
    ):
        Tags(["event"]).features([example(0, "up", target=[{"start": 0, "end": 2, "label": "evnt"}])], tiny)
    with pytest.raises(InvalidInputError, match="label 'c' is not among the 2 labels"):
        MultiLabel(["a", "b"]).features([example(0, "up", target=["c"])], tiny)


def test_an_answer_beyond_what_is_read_teaches_nothing(tiny: Base) -> None:
    passage = "the " * 25_000 + "firm"
    start = len(passage) - 4
    target = {"start": start, "end": start + 4}
    assert Span().features([example(0, "who rose", other=passage, target=target)], tiny) == []
    assert len(Span().features([example(0, "who rose", other=passage)], tiny)) == MAX_PIECES

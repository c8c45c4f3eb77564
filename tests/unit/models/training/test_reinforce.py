"""Learning from one bit on an answer: gradients go the right way, ratios are clipped, and real training follows."""

from __future__ import annotations

from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.models.training.base import Base
from rejoinder.models.training.features import Read
from rejoinder.models.training.objectives.pair import Pair
from rejoinder.models.training.objectives.reinforce import (
    CLIP,
    REJECTION,
    inverse_propensity,
    propensity_of,
    rejection_loss,
)
from rejoinder.models.training.objectives.span import Span
from rejoinder.payloads import Example

torch = pytest.importorskip("torch")

PASSAGE = "sales rose firm fell"


def answer(start: int, end: int, *, polarity: Any = "positive", **target: Any) -> Example:
    return Example(
        id="one",
        task="qa",
        text="who rose",
        other=PASSAGE,
        polarity=polarity,
        target={"start": start, "end": end, **target},
    )


def slope(likely: float, propensity: float) -> float:
    """The gradient by log pi."""
    log_likely = torch.tensor([likely]).log().requires_grad_()
    rejection_loss(log_likely, torch.tensor([propensity]).log()).sum().backward()
    return float(log_likely.grad)


def test_a_rejected_answer_is_pushed_down_by_its_ratio() -> None:
    assert slope(0.5, 0.5) == pytest.approx(REJECTION)
    assert slope(0.1, 0.5) == pytest.approx(REJECTION / 5)


def test_the_ratio_is_clipped() -> None:
    assert slope(0.9, 0.01) == pytest.approx(REJECTION * CLIP)


@pytest.mark.parametrize("propensity", [0, -0.1, 1.1, "often", True])
def test_a_propensity_out_of_range_is_refused(propensity: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"'one': propensity must be a number in \(0, 1\]"):
        propensity_of(answer(0, 5, propensity=propensity))


def test_what_was_rarely_shown_counts_more_up_to_the_clip() -> None:
    assert inverse_propensity(answer(0, 5)) == 1.0
    assert inverse_propensity(answer(0, 5, propensity=0.5)) == 2.0
    assert inverse_propensity(answer(0, 5, propensity=0.001)) == CLIP


@pytest.mark.parametrize(("polarity", "direction"), [("positive", 1), ("negative", -1)])
def test_a_step_moves_the_answer_where_people_wanted_it(tiny: Base, polarity: Any, direction: int) -> None:
    objective = Span()
    features = objective.features([answer(6, 10, polarity=polarity, propensity=0.5)], tiny)
    assert [one.target.rejected for one in features] == [polarity == "negative"]
    torch.manual_seed(0)
    length = len(features[0].rows[0].ids)
    read = Read(torch.zeros(1, 1, 8), torch.randn(1, length, 8), torch.ones(1, length))
    head = objective.head(8)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1)

    def log_likely() -> float:
        accepted = [type(one)(rows=one.rows, target=one.target._replace(rejected=False), example=0) for one in features]
        with torch.no_grad():
            return -2 * float(objective.loss(head, read, accepted)[0])

    before = log_likely()
    for _ in range(5):
        optimiser.zero_grad()
        objective.loss(head, read, features).sum().backward()
        optimiser.step()
    assert direction * (log_likely() - before) > 1e-4


def test_rejected_answers_are_not_scored_as_right_ones(tiny: Base) -> None:
    objective = Span()
    features = objective.features([answer(6, 10), answer(0, 5, polarity="negative")], tiny)
    right = features[0].target.answers[0]
    said = [(*right, 1.0), (*features[1].target.answers[0], 9.0)]
    assert objective.score(said, features) == {"exact_match": 1.0, "f1": 1.0}


def test_a_rejected_no_answer_is_learned_from_a_whole_passage(tiny: Base) -> None:
    wrong = Example(id="one", task="qa", text="who rose", other=PASSAGE, polarity="negative")
    (feature,) = Span().features([wrong], tiny)
    assert feature.target.rejected
    assert not feature.target.answers


def test_pairs_count_by_clipped_inverse_propensity(tiny: Base) -> None:
    shown = [
        Example(id=str(share), task="pairs", text="rose", other="fell", label="yes", target={"propensity": share})
        for share in (1.0, 0.25, 0.001)
    ]
    assert [one.weight for one in Pair(["no", "yes"]).features(shown, tiny)] == [1.0, 4.0, CLIP]

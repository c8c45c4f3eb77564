"""Trust in users: Beta counts, witnesses, and what a statement counts for, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.learning.user_trust import (
    FLOOR,
    FULL,
    ModelWitness,
    UserTrust,
    chance_right,
    factor_of,
    people_evidence,
)

RANKING = ("card", "rate", "hours", "fee", "limit")


def test_whoever_said_nothing_yet_counts_in_full():
    assert UserTrust().value == pytest.approx(0.8)
    assert factor_of(UserTrust().value) == 1.0


def test_right_statements_raise_trust_and_wrong_ones_lower_it():
    right, wrong = UserTrust().after(1.0), UserTrust().after(0.0)
    assert (right.value, wrong.value) == pytest.approx((3 / 3.5, 2 / 3.5))
    assert UserTrust().after(0.0, weight=0.5).disputed == 0.5


def test_nobody_lives_on_a_good_name_for_ever():
    trust = UserTrust()
    for _ in range(1000):
        trust = trust.after(1.0)
    assert trust.statements == pytest.approx(40)
    for _ in range(60):
        trust = trust.after(0.0)
    assert trust.value < FLOOR


def test_weights_grow_from_nothing_to_full():
    assert [round(factor_of(at), 2) for at in (0.0, 0.3, FLOOR, FULL, 1.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_the_models_second_choice_is_likelier_right_than_one_that_it_does_not_name():
    witness = ModelWitness()
    second, unnamed = witness.rank(RANKING, "rate"), witness.rank(RANKING, "stolen")
    assert (second, unnamed) == (0, 4)
    assert witness.evidence(0, 77) > 10
    assert witness.evidence(4, 77) < 0.3
    assert witness.rank(RANKING, "card") is None


def test_a_poor_model_learns_that_it_is_no_witness():
    witness = ModelWitness()
    before = witness.evidence(4, 77)
    for _ in range(300):
        witness.learn(4, 1.0)
    assert before < 0.3
    assert witness.evidence(4, 77) > 0.9


@given(st.floats(0, 1), st.integers(2, 500))
def test_agreement_speaks_for_and_disagreement_against(sureness: float, labels: int):
    assert people_evidence(same=True, sureness=sureness, labels=labels) >= 1.0
    assert people_evidence(same=False, sureness=sureness, labels=labels) <= 1.0


@given(st.floats(0.01, 0.99), st.lists(st.floats(0.05, 20), max_size=4))
def test_the_chance_is_one_and_rises_with_each_witness(trust: float, evidence: list[float]):
    chance = chance_right(trust, evidence)
    assert 0 < chance < 1
    assert chance_right(trust, [*evidence, 2.0]) >= chance

"""The memory matches the same text always, near ones within a learned radius, and others never."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError
from rejoinder.learning.memory import CorrectionMemory, MemoryTurn
from rejoinder.models.encoding.encoder import Encoder


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.array(values, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def at(cosine: float) -> NDArray[np.float32]:
    """A vector at this cosine of (1, 0, 0)."""
    return unit(cosine, float(np.sqrt(1 - cosine**2)), 0)


@pytest.fixture
def memory() -> CorrectionMemory:
    return CorrectionMemory(encoder_hash="h", dim=3)


def test_the_same_text_matches_but_for_case_and_spaces(memory: CorrectionMemory) -> None:
    memory.add("1", "Where is  my card", at(1), "late")
    found = memory.match("where is my card", at(0))
    assert found is not None
    assert (found.label, found.trust, found.exact) == ("late", 1.0, True)


def test_near_texts_match_and_far_ones_do_not(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late")
    near = memory.match("b", at(0.95))
    assert near is not None
    assert 0.5 < near.trust < 1
    assert memory.match("c", at(0.4)) is None


def test_a_later_word_on_the_same_text_overrides(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late")
    memory.add("2", "A", at(1), "lost")
    assert len(memory) == 1
    found = memory.match("a", at(1))
    assert found is not None
    assert found.label == "lost"


def test_what_is_removed_matches_no_more(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late")
    memory.add("2", "b", at(0.1), "lost")
    assert memory.remove(["1"])
    assert not memory.remove(["1"])
    assert memory.match("a", at(1)) is None
    found = memory.match("b", at(0.1))
    assert found is not None
    assert found.label == "lost"


def test_a_nearer_known_example_with_another_label_wins(memory: CorrectionMemory) -> None:
    memory.observe(np.stack([at(0.9), at(0.2)]), ["lost", "rate"])
    memory.add("1", "a", at(1), "late")
    assert memory.match("b", at(0.905)) is None
    assert memory.match("b", at(0.999)) is not None


def test_the_radius_grows_with_texts_that_agree_and_shrinks_with_those_that_do_not() -> None:
    def radius(labels: list[str]) -> float:
        memory = CorrectionMemory(encoder_hash="h", dim=3)
        angles = np.linspace(0, np.pi / 2, len(labels))
        memory.observe(np.stack([unit(np.cos(a), np.sin(a), 0) for a in angles]), labels)
        return memory.radius

    start = CorrectionMemory(encoder_hash="h", dim=3).radius
    assert radius(["a"] * 6) < start < radius(["a", "b"] * 20)


def test_a_turn_that_misled_loses_its_reach(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late")
    assert memory.match("c", at(0.94)) is not None
    memory.add("2", "b", at(0.95), "lost")
    assert memory.remove(["2"])
    assert memory.match("c", at(0.94)) is None
    assert memory.match("a", at(1)) is not None


def test_the_oldest_turn_goes_when_the_memory_is_full() -> None:
    memory = CorrectionMemory(encoder_hash="h", dim=3, capacity=2)
    for i, cosine in enumerate((0.1, 0.5, 0.9)):
        memory.add(str(i), f"text {i}", at(cosine), str(i))
    assert len(memory) == 2
    assert memory.match("text 0", unit(0, 0, 1)) is None
    assert memory.match("text 2", unit(0, 0, 1)) is not None


def test_a_rejected_label_is_named_until_it_is_confirmed(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late", kind="is_not")
    assert memory.rejected("a", at(1)) == {"late"}
    assert memory.rejected("b", at(0.995)) == {"late"}
    assert memory.rejected("c", at(0.5)) == frozenset()
    assert memory.match("a", at(1)) is None
    memory.add("2", "a", at(1), "late")
    assert memory.rejected("a", at(1)) == frozenset()


def test_a_rejection_forgets_what_was_remembered_of_that_label(memory: CorrectionMemory) -> None:
    memory.add("1", "a", at(1), "late")
    memory.add("2", "a", at(1), "late", kind="is_not")
    assert memory.match("a", at(1)) is None


def test_vectors_of_another_shape_are_refused(memory: CorrectionMemory) -> None:
    with pytest.raises(InvalidInputError, match=r"shape \(1, 3\)"):
        memory.add("1", "a", np.zeros(4, dtype=np.float32), "late")


def test_a_corrected_answer_reaches_paraphrases_and_no_other_question(encoder: Encoder) -> None:
    memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)

    def add(question: str, answer: str) -> None:
        memory.add(question, question, encoder.encode([question])[0], answer)

    def ask(question: str) -> str | None:
        found = memory.match(question, encoder.encode([question])[0])
        return found.label if found else None

    add("What are your opening hours?", "We are open from 9 to 17.")
    add("How do I return a product?", "Send it back within 30 days.")
    assert ask("what are the opening hours of your shop") == "We are open from 9 to 17."
    assert ask("how can I return a product") == "Send it back within 30 days."
    for other in ("What are your prices?", "How do I pay for a product?", "Where are you located?", "hello"):
        assert ask(other) is None


def many_turns(seed: int, count: int) -> list[MemoryTurn]:
    """Random turns whose texts, ids and labels repeat and contradict one another, some of them near others."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(12, 3)).astype(np.float32)
    turns = []
    for number in range(count):
        text = f"text {rng.integers(count)}"
        vector = points[rng.integers(12)] + rng.normal(scale=0.1, size=3).astype(np.float32)
        turns.append(
            MemoryTurn(
                id=f"id {number if rng.random() < 0.9 else rng.integers(count)}",
                text=text.upper() if rng.random() < 0.3 else text,
                vector=unit(*vector),
                label=f"label {rng.integers(4)}",
                kind="is" if rng.random() < 0.7 else "is_not",
            )
        )
    return turns


@pytest.mark.parametrize("capacity", [5, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_are_remembered_as_one_after_another(seed: int, capacity: int) -> None:
    def memory() -> CorrectionMemory:
        made = CorrectionMemory(encoder_hash="h", dim=3, capacity=capacity)
        for turn in many_turns(seed + 100, 20):
            made.add(turn.id, turn.text, turn.vector, turn.label, kind=turn.kind)
        return made

    single, batched = memory(), memory()
    turns = many_turns(seed, 520)
    for turn in turns:
        single.add(turn.id, turn.text, turn.vector, turn.label, kind=turn.kind)
    batched.add_many(turns)

    assert len(single) == len(batched)
    assert single.radius == pytest.approx(batched.radius, abs=1e-5)
    for turn in [*turns[::5], *many_turns(seed + 1, 50)]:
        first, second = single.match(turn.text, turn.vector), batched.match(turn.text, turn.vector)
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert (first.id, first.label, first.exact) == (second.id, second.label, second.exact)
            assert first.trust == pytest.approx(second.trust, abs=1e-4)
        assert single.rejected(turn.text, turn.vector) == batched.rejected(turn.text, turn.vector)
    single.add("last", "a new text", at(1), "x")
    batched.add("last", "a new text", at(1), "x")
    assert len(single) == len(batched)


def test_many_vectors_of_another_shape_are_refused(memory: CorrectionMemory) -> None:
    turns = [MemoryTurn(id=str(n), text=str(n), vector=np.ones(4, dtype=np.float32), label="x") for n in range(20)]
    with pytest.raises(InvalidInputError, match="shape"):
        memory.add_many(turns)
    assert len(memory) == 0

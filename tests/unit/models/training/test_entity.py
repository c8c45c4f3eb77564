"""What the encoder reads when a label is about one entity."""

from __future__ import annotations

import pytest
from rejoinder.models.training.objectives.entity import text_about, texts_about


@pytest.mark.parametrize(
    ("text", "entity", "others", "read"),
    [
        ("Gold rises, silver falls", "Silver", ["Gold"], "other rises, @ silver @ falls"),
        ("Gold rises, gold shines", "gold", [], "@ Gold @ rises, @ gold @ shines"),
        ("Acme Labs of Acme hires", "Acme", ["Acme Labs"], "other of @ Acme @ hires"),
        ("Acme Labs of Acme hires", "Acme Labs", ["Acme", " "], "@ Acme Labs @ of other hires"),
        ("The bank cut its outlook", "HSBC", ["bank"], "@ HSBC @ The other cut its outlook"),
        ("Marigold grows", "gold", [], "@ gold @ Marigold grows"),
        ("A (B) wins", "(B)", [], "A @ (B) @ wins"),
        ("nobody", None, ["nobody"], "nobody"),
        ("nobody", " ", [], "nobody"),
    ],
)
def test_the_entity_is_marked_and_others_are_masked(
    text: str, entity: str | None, others: list[str], read: str
) -> None:
    assert text_about(text, entity, others) == read


def test_the_others_of_a_row_are_the_entities_of_the_rows_with_its_text() -> None:
    texts = ["A beats B", "A beats B", "A beats B", "A hires"]
    assert texts_about(texts, ["A", "B", "", "A"]) == (
        "@ A @ beats other",
        "other beats @ B @",
        "A beats B",
        "@ A @ hires",
    )

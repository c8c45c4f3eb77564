"""What examples of each task say, in one place: learners and training read them alike.

- several labels: `target` is a list of labels, [] for a text that none fits; without `target` the one `label` counts.
- spans (slots): `target` is a list of `{"start": int, "end": int, "label": str}`, characters [start, end) of `text`; [] for none.
- answers: `text` is the question, `other` the passage. `target` is `{"start": int, "end": int}` of the passage, with `"text"` to check
  it by if wanted; where several people answered, `{"answers": [...]}` with one such part each. None or no answers: the passage has none.
  `"propensity"` beside it, in (0, 1]: with what probability chance chose the answer, where people then accepted or rejected it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.payloads import Example


class TextSpan(NamedTuple):
    """Characters [start, end) of a text, with a label or ""."""

    start: int
    end: int
    label: str = ""


def labels_of(example: Example) -> tuple[str, ...] | None:
    """Return the labels that hold, without repeats; None where the example does not say.

    Raises:
        InvalidInputError: `target` is not a list of labels.
    """
    if example.target is None:
        return None if example.label is None else (example.label,)
    if not isinstance(example.target, list) or not all(isinstance(one, str) and one for one in example.target):
        raise InvalidInputError(
            f'example {example.id!r}: target must be a list of labels, such as ["late", "damaged"], came as {_short(example.target)}'
        )
    return tuple(dict.fromkeys(str(one) for one in example.target))


def spans_of(example: Example) -> tuple[TextSpan, ...] | None:
    """Return the labelled spans in the order of the text; None where the example does not say.

    Raises:
        InvalidInputError: a span is outside the text, empty, without a label, or overlaps another.
    """
    if example.target is None:
        return None
    parts = example.target.get("spans") if isinstance(example.target, dict) else example.target
    if not isinstance(parts, list):
        raise InvalidInputError(
            f'example {example.id!r}: target must be a list of {{"start", "end", "label"}}, came as {_short(example.target)}'
        )
    found = sorted(_span(example, part, example.text, labelled=True) for part in parts)
    for before, after in pairwise(found):
        if after.start < before.end:
            raise InvalidInputError(f"example {example.id!r}: the spans {before} and {after} overlap")
    return tuple(found)


def answers_of(example: Example) -> tuple[TextSpan, ...]:
    """Return the answers' places in the passage `other`, in the order given; () where it has no answer.

    Raises:
        InvalidInputError: there is no passage, or an answer is empty or outside it, or its `text` is not what stands there.
    """
    if example.other is None:
        raise InvalidInputError(f"example {example.id!r}: `other` must be the passage to answer from")
    target = example.target
    if not target:
        return ()
    parts = target.get("answers", [target]) if isinstance(target, dict) else target
    if not isinstance(parts, list):
        raise InvalidInputError(
            f'example {example.id!r}: target must be {{"start", "end"}}, {{"answers": [...]}} or none, came as {_short(target)}'
        )
    return tuple(_span(example, part, example.other, labelled=False) for part in parts)


def labelled_rows(examples: Sequence[Example], inputs: Any) -> list[int]:
    """Return the rows that have a text and a weight above 0.

    Raises:
        InvalidInputError: `inputs` are not as many as `examples`.
    """
    if len(inputs) != len(examples):
        raise InvalidInputError(f"there must be one input for each of the {len(examples)} examples, came {len(inputs)}")
    return [row for row, example in enumerate(examples) if example.text.strip() and example.weight > 0]


def _span(example: Example, part: Any, text: str, *, labelled: bool) -> TextSpan:
    fields = part if isinstance(part, dict) else {}
    start, said, label = fields.get("start"), fields.get("text"), fields.get("label", "")
    end = fields.get("end")
    if end is None and isinstance(start, int) and isinstance(said, str):
        end = start + len(said)
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(text):
        raise InvalidInputError(
            f"example {example.id!r}: a span must have whole numbers 0 <= start < end <= {len(text)} (the text's length), came as "
            f"{_short(part)}"
        )
    if labelled and not (isinstance(label, str) and label):
        raise InvalidInputError(f"example {example.id!r}: the span {start} to {end} has no label")
    if isinstance(said, str) and text[start:end] != said:
        raise InvalidInputError(
            f"example {example.id!r}: at {start} to {end} stands {_short(text[start:end])}, not {_short(said)}; count characters, not bytes"
        )
    return TextSpan(start, end, label if labelled else "")


def _short(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 80 else said[:77] + "..."

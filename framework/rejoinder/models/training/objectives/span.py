"""Extractive question answering: where in the passage the answer starts and ends, or that it is not there.

Source: Devlin et al. 2019, BERT (arXiv:1810.04805), sections 4.2 and 4.3: a passage without the answer points to the first token.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rejoinder.models.encoding.tokens import MAX_CHARS_PER_TOKEN
from rejoinder.models.tasks.targets import TextSpan, answers_of
from rejoinder.models.tasks.windows import MAX_PIECES
from rejoinder.models.training.features import Feature, Row
from rejoinder.models.training.objectives.reinforce import propensity_of, rejection_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.learner import Reads
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Read
    from rejoinder.models.training.objectives.heads import ScaledLinear
    from rejoinder.payloads import Example

MAX_QUESTION_TOKENS: Final = 64
"""More of a question is not read: the passage needs the room."""

MAX_ANSWER_TOKENS: Final = 30

_STRIDE: Final = 96
_OUT_OF_SIGHT: Final = -1e4


class Target(NamedTuple):
    """Places of each right answer's first and last token, none where the window has no answer, and of the passage's tokens.

    `rejected`: the answers are wrong ones (none: "no answer" is wrong), given with the probability `propensity`.
    """

    answers: tuple[tuple[int, int], ...]
    first: int
    last: int
    rejected: bool = False
    propensity: float = 1.0


class Span:
    """Find the answer to the question `text` in the passage `other`.

    Of several answers (`rejoinder.models.tasks.targets`) any is right: what is learned is that one of them is said. None means that
    the passage does not say. Long passages are cut into overlapping windows, of which those without an answer teach that it is not there.

    Of a negative example the answer is one that people rejected: it is made less likely (`rejoinder.models.training.objectives.reinforce`;
    `propensity` in its target is how likely it was when it was given).

    The head reads tokens' states: `span.weight` (2, dim) and `span.bias` (2,) for start and end.

    Args:
        max_tokens: of a window, question included; None: as many as the encoder reads.
        absent_weight: weight in (0, 1] of a window that lacks the answer which another window has.

    Source: Clark & Gardner 2018 (arXiv:1710.10723), section 3.3: the summed likelihood of all answers, here of pairs of start and end.
    """

    name = "qa"
    reads: Reads = "tokens"
    metric = "f1"

    def __init__(self, *, max_tokens: int | None = None, absent_weight: float = 0.25) -> None:
        """See the class for arguments."""
        self._max_tokens = max_tokens
        self._absent_weight = absent_weight

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """One for each window of each example with question, passage and a weight above 0; see `Objective.features`.

        Of a passage the first `MAX_PIECES` windows are read, as when serving; an example whose answer is in none of them is left out.
        """
        from tokenizers import Tokenizer

        tokeniser = Tokenizer.from_file(str(base.source.folder / "tokenizer.json"))
        tokeniser.no_padding()
        longest = min(self._max_tokens or base.tokeniser.max_tokens, base.tokeniser.max_tokens)
        question = min(MAX_QUESTION_TOKENS, longest // 3)
        found: list[Feature] = []
        for i, example in enumerate(examples):
            if not example.text.strip() or example.weight <= 0:
                continue
            tokeniser.enable_truncation(max_length=question + 2)
            asked = _cut(example.text[: question * MAX_CHARS_PER_TOKEN], tokeniser)
            tokeniser.enable_truncation(max_length=longest, stride=min(_STRIDE, longest // 3), strategy="only_second")
            passage = (example.other or "")[: MAX_PIECES * longest * MAX_CHARS_PER_TOKEN]
            encoding = tokeniser.encode(asked, passage)
            found += self._windows(i, example, [encoding, *encoding.overflowing][:MAX_PIECES])
        return found

    def _windows(self, place: int, example: Example, windows: Sequence[Any]) -> list[Feature]:
        wanted = answers_of(example)
        targets = [_target(window, wanted) for window in windows]
        answered = any(one.answers for one in targets)
        if example.polarity == "negative":
            propensity = propensity_of(example)
            return [
                Feature(
                    rows=(Row(window.ids, window.type_ids),),
                    target=target._replace(rejected=True, propensity=propensity),
                    example=place,
                    weight=example.weight,
                    group="answer" if wanted else "no answer",
                )
                for window, target in zip(windows, targets, strict=True)
                # Of several windows none is where "no answer" was said.
                if target.answers or (not wanted and len(windows) == 1)
            ]
        if wanted and not answered:
            return []  # the answer lies beyond what is read, or across a cut: "not there" would be wrong
        return [
            Feature(
                rows=(Row(window.ids, window.type_ids),),
                target=target,
                example=place,
                weight=example.weight * (self._absent_weight if answered and not target.answers else 1.0),
                group="answer" if wanted else "no answer",
            )
            for window, target in zip(windows, targets, strict=True)
        ]

    def balanced(self, features: Sequence[Feature]) -> list[Feature]:
        """Return them as they are; see `Objective.balanced`."""
        return list(features)

    def head(self, dim: int) -> ScaledLinear:
        """Scores of a token as start and as end; see `Objective.head`. States are not of length 1, so they are not scaled."""
        from rejoinder.models.training.objectives.heads import ScaledLinear

        return ScaledLinear(dim, 2, scale=1.0)

    def rows(self) -> Sequence[str]:
        """The start and end; see `Objective.rows`."""
        return ("start", "end")

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Half of minus the log-probability of any right answer, among the places that are allowed; of rejected answers `rejection_loss`.

        See `Objective.loss`.
        """
        import torch

        likely = _masked(head(read.states), read, features).log_softmax(dim=1)
        losses = []
        for row, one in zip(likely, features, strict=True):
            places = torch.tensor(one.target.answers or ((0, 0),), device=row.device)
            log_likely = (row[places[:, 0], 0] + row[places[:, 1], 1]).logsumexp(dim=0)
            if one.target.rejected:
                log_propensity = log_likely.new_tensor(one.target.propensity).log()
                losses.append(rejection_loss(log_likely, log_propensity))
            else:
                losses.append(-log_likely / 2)
        return torch.stack(losses)

    def predict(self, head: torch.nn.Module, read: Read) -> list[tuple[int, int, float]]:
        """The best start and end, and by how much they beat "no answer"; see `Objective.predict`."""
        import torch

        scores = head(read.states)
        found = []
        for row in range(len(scores)):
            start = scores[row, :, 0].masked_fill(read.mask[row] == 0, _OUT_OF_SIGHT)
            end = scores[row, :, 1].masked_fill(read.mask[row] == 0, _OUT_OF_SIGHT)
            none = float(start[0] + end[0])
            start, end = start.clone(), end.clone()
            start[0] = end[0] = _OUT_OF_SIGHT
            length = len(start)
            both = start[:, None] + end[None, :]
            near = torch.ones(length, length, dtype=torch.bool, device=both.device).triu().tril(MAX_ANSWER_TOKENS - 1)
            both = both.masked_fill(~near, 2 * _OUT_OF_SIGHT)
            best = int(both.argmax())
            found.append((best // length, best % length, float(both.max()) - none))
        return found

    def score(self, predictions: Sequence[tuple[int, int, float]], features: Sequence[Feature]) -> dict[str, float]:
        """Return `exact_match` and `f1` over tokens' places, by example: the surest window speaks. Rejected ones do not count."""
        best: dict[int, tuple[float, float, float]] = defaultdict(lambda: (-float("inf"), 0.0, 0.0))
        answered = {one.example for one in features if one.target.answers}
        for (start, end, margin), one in zip(predictions, features, strict=True):
            if one.target.rejected or margin <= best[one.example][0]:
                continue
            if margin <= 0:
                right = float(one.example not in answered)
                best[one.example] = (margin, right, right)
            else:
                exact = float((start, end) in one.target.answers)
                best[one.example] = (margin, exact, _overlap(start, end, one.target))
        count = len(best)
        return {
            "exact_match": sum(one[1] for one in best.values()) / count if count else 0.0,
            "f1": sum(one[2] for one in best.values()) / count if count else 0.0,
        }

    def head_arrays(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return `span.weight` (2, dim) and `span.bias` (2,)."""
        arrays: dict[str, torch.Tensor] = head.arrays()  # type: ignore[operator]  # a ScaledLinear
        return {f"span.{name}": one for name, one in arrays.items()}

    def settings(self) -> Mapping[str, Any]:
        """Return the window's length and the weight of windows without the answer."""
        return {"max_tokens": self._max_tokens, "absent_weight": self._absent_weight}


def _cut(question: str, tokeniser: Any) -> str:
    """Cut a question to what the tokeniser, as it is set, reads of it."""
    offsets = tokeniser.encode(question).offsets
    return question[: max((end for _, end in offsets), default=0)]


def _target(window: Any, wanted: Sequence[TextSpan]) -> Target:
    """Find the tokens that hold the answers; a window that holds only a part of one does not have it."""
    passage = [i for i, sequence in enumerate(window.sequence_ids) if sequence == 1]
    if not passage:
        return Target((), 0, 0)
    first, last = passage[0], passage[-1]
    begin, end = window.offsets[first][0], window.offsets[last][1]
    places = []
    for one in wanted:
        inside = [i for i in passage if window.offsets[i][1] > one.start and window.offsets[i][0] < one.end]
        if inside and begin <= one.start and one.end <= end:
            places.append((inside[0], inside[-1]))
    return Target(tuple(dict.fromkeys(places)), first, last)


def _masked(scores: torch.Tensor, read: Read, features: Sequence[Feature]) -> torch.Tensor:
    """Leave only the first token and the passage's tokens in sight."""
    import torch

    seen = torch.zeros(scores.shape[:2], dtype=torch.bool, device=scores.device)
    seen[:, 0] = True
    for row, one in enumerate(features):
        if one.target.last:
            seen[row, one.target.first : one.target.last + 1] = True
    return scores.masked_fill(~seen[:, :, None], _OUT_OF_SIGHT)


def _overlap(start: int, end: int, target: Target) -> float:
    """Best F1 of a stretch of tokens and one of the answers; 0 where the window has none."""
    best = 0.0
    for first, last in target.answers:
        common = min(end, last) - max(start, first) + 1
        best = max(best, 2 * common / ((end - start + 1) + (last - first + 1)))
    return best

"""Token states of pairs whose second text is longer than the encoder reads: piece by piece, each with the first text before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.encoding.tokens import TokenStates

DEFAULT_OVERLAP: Final = 96
"""Tokens that a piece shares with the one before it: no answer shorter than that is cut in two."""

MAX_PIECES: Final = 32
"""Most pieces of one passage; what comes after them is not read. Of English about 18,000 characters."""

MAX_FIRST_CHARS: Final = 400
"""Characters of the first text that are read: a question that fills the window would leave no room for the passage."""


def encode_windows(
    encoder: Encoder,
    pairs: Sequence[tuple[str, str]],
    *,
    overlap: int = DEFAULT_OVERLAP,
    max_pieces: int = MAX_PIECES,
    adapters: Sequence[Adapter | None] | None = None,
) -> list[TokenStates]:
    """Encode pairs, each as the sequence of its windows: [CLS] first [SEP] piece [SEP], again and again.

    Args:
        encoder: what reads the pairs.
        pairs: first text (cut to `MAX_FIRST_CHARS`) and second text of any length.
        overlap: tokens of a piece that the next one repeats, >= 0, and well below `encoder.max_tokens`.
        max_pieces: most pieces of one pair, >= 1.
        adapters: as `Encoder.encode_tokens`.

    Returns:
        One `TokenStates` for each pair, in order: the windows' rows one after another. `offsets` are places in the whole texts; `vector`
        is the first window's.

    Raises:
        InvalidInputError: `overlap` or `max_pieces` is out of range.

    Source: windows with a stride as in Devlin et al. 2019 (arXiv:1810.04805), section 4.2's code.
    """
    if not 0 <= overlap < encoder.max_tokens // 2 or max_pieces < 1:
        raise InvalidInputError(
            f"overlap must be in [0, {encoder.max_tokens // 2}) and max_pieces >= 1, came as {overlap} and {max_pieces}"
        )
    windows: list[list[TokenStates]] = [[] for _ in pairs]
    begin = [0] * len(pairs)
    open_rows = list(range(len(pairs)))
    while open_rows:
        asked = [(pairs[row][0][:MAX_FIRST_CHARS], pairs[row][1][begin[row] :]) for row in open_rows]
        chosen = None if adapters is None else [adapters[row] for row in open_rows]
        left = []
        for row, found in zip(open_rows, encoder.encode_tokens(asked, adapters=chosen), strict=True):
            places = _moved(found, begin[row])
            windows[row].append(places)
            following = _next_begin(places, pairs[row][1], overlap)
            if following is not None and following > begin[row] and len(windows[row]) < max_pieces:
                begin[row] = following
                left.append(row)
        open_rows = left
    return [_joined(one) for one in windows]


def window_starts(sequence: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows at which windows start: the first, and each that follows the special token after a piece."""
    import numpy as np

    before = np.concatenate([[-1], sequence[:-1]])
    after_pieces = np.flatnonzero((sequence < 0) & (before == 1)) + 1
    return np.array([0, *(row for row in after_pieces.tolist() if row < len(sequence))], dtype=np.intp)


def _moved(found: TokenStates, by: int) -> TokenStates:
    from dataclasses import replace

    if not by:
        return found
    offsets = found.offsets.copy()
    offsets[found.sequence == 1] += by
    return replace(found, offsets=offsets)


def _next_begin(found: TokenStates, text: str, overlap: int) -> int | None:
    """Return the character at which the next piece begins, None when this one reached the end."""
    pieces = found.offsets[found.sequence == 1]
    if not len(pieces) or not text[int(pieces[-1, 1]) :].strip():
        return None
    place = max(1, len(pieces) - overlap)
    begin = int(pieces[min(place, len(pieces) - 1), 0])
    while place > 1 and begin > 0 and not text[begin - 1].isspace():  # not within a word, where there are words
        place -= 1
        begin = int(pieces[place, 0])
    return begin


def _joined(windows: Sequence[TokenStates]) -> TokenStates:
    import numpy as np

    from rejoinder.models.encoding.tokens import TokenStates

    if len(windows) == 1:
        return windows[0]
    return TokenStates(
        windows[0].vector,
        np.concatenate([one.states for one in windows]),
        np.concatenate([one.offsets for one in windows]),
        np.concatenate([one.sequence for one in windows]),
    )

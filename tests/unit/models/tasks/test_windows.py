"""Long passages, piece by piece."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.tasks.windows import encode_windows, window_starts

QUESTION = "where does the river end?"
PASSAGE = " ".join(f"In village number {number} the river has a bridge and a mill." for number in range(60))


def test_a_short_pair_is_one_window(encoder: Encoder) -> None:
    (found,) = encode_windows(encoder, [(QUESTION, "In the sea.")])
    (whole,) = encoder.encode_tokens([(QUESTION, "In the sea.")])

    assert window_starts(found.sequence).tolist() == [0]
    np.testing.assert_array_equal(found.states, whole.states)


def test_every_character_of_a_long_passage_is_read_and_found_again(encoder: Encoder) -> None:
    (found,) = encode_windows(encoder, [(QUESTION, PASSAGE)], overlap=32)

    starts = window_starts(found.sequence)
    assert len(starts) >= 4
    assert (found.sequence[starts] == -1).all()
    read = np.zeros(len(PASSAGE), dtype=bool)
    for start, end in found.offsets[found.sequence == 1]:
        read[start:end] = True
        assert not any(one.isspace() for one in PASSAGE[start:end])
    assert all(seen or letter.isspace() for seen, letter in zip(read, PASSAGE, strict=True))


def test_pieces_overlap_as_asked(encoder: Encoder) -> None:
    (found,) = encode_windows(encoder, [(QUESTION, PASSAGE)], overlap=32)
    starts = [*window_starts(found.sequence).tolist(), len(found.sequence)]
    pieces = [found.offsets[begin:end][found.sequence[begin:end] == 1] for begin, end in itertools.pairwise(starts)]

    for before, after in itertools.pairwise(pieces):
        shared = int((before[:, 1] > after[0, 0]).sum())
        assert 32 <= shared <= 36


def test_each_window_begins_with_the_question(encoder: Encoder) -> None:
    (found,) = encode_windows(encoder, [(QUESTION, PASSAGE)])
    for start in window_starts(found.sequence):
        own = found.offsets[start + 1 :][found.sequence[start + 1 :] == 0]
        assert own[0].tolist() == [0, 5]


def test_rows_keep_their_order_however_long_they_are(encoder: Encoder) -> None:
    pairs = [(QUESTION, PASSAGE), (QUESTION, "In the sea."), (QUESTION, PASSAGE[:1500]), ("", ""), (QUESTION, " ")]
    together = encode_windows(encoder, pairs)

    for pair, found in zip(pairs, together, strict=True):
        (alone,) = encode_windows(encoder, [pair])
        np.testing.assert_array_equal(found.offsets, alone.offsets)
        np.testing.assert_allclose(found.states, alone.states, atol=1e-4)


def test_what_comes_after_the_last_piece_is_not_read(encoder: Encoder) -> None:
    (found,) = encode_windows(encoder, [("why? " * 20_000, "word " * 20_000)], max_pieces=3)
    assert len(window_starts(found.sequence)) == 3


@pytest.mark.parametrize("options", [{"overlap": -1}, {"overlap": 200}, {"max_pieces": 0}])
def test_ranges_are_checked(encoder: Encoder, options: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        encode_windows(encoder, [], **options)

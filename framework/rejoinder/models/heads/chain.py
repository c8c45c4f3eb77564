"""Linear chains over words: which sequence of tags is likeliest, and how likely a stretch of tags is.

All scores are logarithms; a transition that is not allowed is -inf. Source: Rabiner 1989 (Viterbi, forward-backward); Lafferty, McCallum &
Pereira 2001 (conditional random fields). Here the words' scores come from a classifier and the transitions from counts, as in a
maximum-entropy Markov model without its label bias: the chain is normalised as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

OUTSIDE: Final = 0
"""The tag of a word that belongs to no span. Of label k, tag 2 k + 1 begins a span and 2 k + 2 goes on with it."""


def begin_tag(label: int) -> int:
    """Return the tag that begins a span of a label."""
    return 2 * label + 1


def inside_tag(label: int) -> int:
    """Return the tag that goes on with a span of a label."""
    return 2 * label + 2


def fit_transitions(sequences: Sequence[Sequence[int]], labels: int, *, strength: float = 1.0) -> tuple[Floats, Floats]:
    """Count tags.

    Args:
        sequences: tags of each text.
        labels: how many labels there are.
        strength: added to each count, > 0.

    Returns:
        (n_tags,) log-probability of the first tag, and (n_tags, n_tags) of the next tag (columns) after a tag (rows), both relative to how
        often a tag is anyway, which the words' scores say already; -inf where a span would go on that did not begin.
    """
    tags = 2 * labels + 1
    first, follow = np.full(tags, strength), np.full((tags, tags), strength)
    for sequence in sequences:
        if len(sequence):
            first[sequence[0]] += 1
            np.add.at(follow, (list(sequence[:-1]), list(sequence[1:])), 1)
    usual = np.log((first + follow.sum(axis=0)) / (first.sum() + follow.sum()))
    begin = np.log(first / first.sum()) - usual
    after = np.log(follow / follow.sum(axis=1, keepdims=True)) - usual
    for label in range(labels):
        going_on = inside_tag(label)
        begin[going_on] = -np.inf
        allowed = np.zeros(tags, dtype=np.bool_)
        allowed[[begin_tag(label), going_on]] = True
        after[~allowed, going_on] = -np.inf
    return begin.astype(np.float32), after.astype(np.float32)


def best_path(scores: Floats, first: Floats, follow: Floats) -> list[int]:
    """Return the likeliest tags for the words' scores (n_words, n_tags)."""
    if not len(scores):
        return []
    at = first + scores[0]
    back = []
    for row in scores[1:]:
        ways = at[:, None] + follow
        back.append(ways.argmax(axis=0))
        at = ways.max(axis=0) + row
    path = [int(at.argmax())]
    for one in reversed(back):
        path.append(int(one[path[-1]]))
    return path[::-1]


def spans_of_path(path: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (first word, word after the last, label) of each span of a path."""
    found: list[tuple[int, int, int]] = []
    for place, tag in enumerate(path):
        if tag == OUTSIDE:
            continue
        label = (tag - 1) // 2
        if tag == inside_tag(label) and found and found[-1][1:] == (place, label):
            found[-1] = (found[-1][0], place + 1, label)
        else:
            found.append((place, place + 1, label))
    return found


def span_log_odds(scores: Floats, first: Floats, follow: Floats, spans: Sequence[tuple[int, int, int]]) -> Floats:
    """Return for each span (see `spans_of_path`) the log-odds, in [-20, 20], that just these words are one span of this label."""
    if not spans:
        return np.zeros(0, dtype=np.float32)
    forward = [first + scores[0]]
    for row in scores[1:]:
        forward.append(_log_sum(forward[-1][:, None] + follow, 0) + row)
    backward = [np.zeros_like(first)]
    for row in scores[:0:-1]:
        backward.append(_log_sum(follow + (row + backward[-1])[None], 1))
    backward.reverse()
    total = float(_log_sum(forward[-1][:, None], 0)[0])
    found = []
    for start, end, label in spans:
        tag = begin_tag(label)
        at = float(forward[start][tag])
        for place in range(start + 1, end):
            at += float(follow[tag, inside_tag(label)] + scores[place, inside_tag(label)])
            tag = inside_tag(label)
        if end < len(scores):
            ways = follow[tag] + scores[end] + backward[end]
            ways[inside_tag(label)] = -np.inf
            at += float(_log_sum(ways[:, None], 0)[0])
        found.append(at - total)
    shares = np.minimum(np.array(found, dtype=np.float64), -1e-9)
    odds: Floats = np.clip(shares - np.log(-np.expm1(shares)), -20, 20).astype(np.float32)
    return odds


def _log_sum(values: Floats, axis: int) -> Floats:
    top = values.max(axis=axis, keepdims=True)
    found: Floats = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return found

"""Choosing the kernel and measuring it honestly, without any test file: leave-one-out, leave-label-out, or a held-out fifth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rejoinder.models.heads import ridge as rr
from rejoinder.models.heads.kernel import KernelMachine, KernelSpec, joint_kernel, nearest_mean
from rejoinder.models.heads.out_of_scope import scope_score
from rejoinder.models.heads.words import word_cosines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Columns = NDArray[np.intp]

_SEARCH_ROWS: Final = 2000
_LEAVE_ONE_OUT_ROWS: Final = 4000
_HELD_OUT_SHARE: Final = 0.2
_WIDTHS: Final = (1.0, 2.0)
_WORD_SHARES: Final = (0.15, 0.3)
_RIDGES: Final = (0.15, 0.3)


class Data(NamedTuple):
    """Training rows: vectors (n, dim), words CSR (n, BUCKETS), columns (n,) of their labels, importance (n,) > 0, number of columns, and
    the column that means out of scope (None: there is none)."""

    vectors: Floats
    words: Any
    columns: Columns
    importance: Floats
    n_columns: int
    outside: int | None

    def take(self, rows: Columns) -> Data:
        """Return the same with only these rows."""
        return self._replace(
            vectors=self.vectors[rows],
            words=self.words[rows],
            columns=self.columns[rows],
            importance=self.importance[rows],
        )

    @property
    def targets(self) -> Floats:
        """(n, n_columns) one-hot float32."""
        return np.eye(self.n_columns, dtype=np.float32)[self.columns]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Rows that are in scope."""
        return (
            np.asarray(self.columns != self.outside)
            if self.outside is not None
            else np.ones(len(self.columns), dtype=np.bool_)
        )


class HeldOut(NamedTuple):
    """Scores (n, n_columns), true columns and nearness of rows the model did not see, and scope scores of rows whose whole label it did
    not see."""

    labels: Floats
    columns: Columns
    nearness: Floats
    strangers: Floats


def sample_rows(columns: Columns, limit: int, rng: np.random.Generator) -> Columns:
    """Return at most `limit` rows, ascending, taking from all labels in turn so that rare ones stay in."""
    if len(columns) <= limit:
        return np.arange(len(columns))
    order = rng.permutation(len(columns))
    # Each row's turn is its place among the shuffled rows of its label; all first turns come before all second ones.
    by_label = order[np.argsort(columns[order], kind="stable")]
    _, starts, sizes = np.unique(columns[by_label], return_index=True, return_counts=True)
    turns = np.arange(len(by_label)) - np.repeat(starts, sizes)
    return np.sort(by_label[np.lexsort((rng.random(len(by_label)), turns))[:limit]])


def choose_kernel(data: Data, rng: np.random.Generator) -> KernelSpec:
    """Return the settings with the smallest leave-one-out squared error on at most 2,000 rows."""
    part = data.take(sample_rows(data.columns, _SEARCH_ROWS, rng))
    if len(part.columns) < 2 * data.n_columns or data.n_columns < 2:
        return KernelSpec()  # labels with one example say nothing when it is left out
    cosines, words, targets = part.vectors @ part.vectors.T, word_cosines(part.words, part.words), part.targets
    best, best_error = KernelSpec(), np.inf
    for width in _WIDTHS:
        for share in _WORD_SHARES:
            kernel = joint_kernel(cosines.copy(), words, KernelSpec(width, share))
            for ridge in _RIDGES:
                lower = rr.factor(kernel.copy(), ridge / part.importance)
                weights = rr.solve(lower, targets)
                error = float(np.square(targets - rr.leave_one_out(rr.inverse(lower), weights, targets)).sum())
                if error < best_error:
                    best, best_error = KernelSpec(width, share, ridge), error
    return best


def held_out_scores(data: Data, spec: KernelSpec, rng: np.random.Generator) -> HeldOut:
    """Score rows by models that did not see them: leave-one-out up to 4,000 rows, a model of four fifths beyond."""
    few = data.take(sample_rows(data.columns, _SEARCH_ROWS, rng))
    strangers = _strangers(few, spec)
    if len(data.columns) <= _LEAVE_ONE_OUT_ROWS:
        cosines = data.vectors @ data.vectors.T
        kernel = joint_kernel(cosines.copy(), word_cosines(data.words, data.words), spec)
        lower = rr.factor(kernel, spec.ridge / data.importance)
        weights = rr.solve(lower, data.targets)
        labels = rr.leave_one_out(rr.inverse(lower), weights, data.targets)
        np.fill_diagonal(cosines, -1.0)
        # A label's only example cannot be told when it is left out; that says nothing of how the model will do.
        fair = np.bincount(data.columns, minlength=data.n_columns)[data.columns] > 1
        return HeldOut(labels[fair], data.columns[fair], nearest_mean(cosines[np.ix_(fair, data.near)]), strangers)
    shuffled = rng.permutation(len(data.columns))
    cut = int(len(shuffled) * _HELD_OUT_SHARE)
    known, held = data.take(shuffled[cut:]), data.take(shuffled[:cut])
    machine = KernelMachine.build(
        spec, known.vectors, known.words, known.targets, spec.ridge / known.importance, known.near, keep=False
    )
    rows = [(held.words[i].indices, held.words[i].data) for i in range(cut)]
    scores = machine.scores(held.vectors, rows)
    return HeldOut(scores.labels, held.columns, scores.nearness, strangers)


def _strangers(data: Data, spec: KernelSpec) -> Floats:
    """Scope scores of every in-scope row under a model that never saw its label."""
    inside = [column for column in np.unique(data.columns) if column != data.outside]
    if len(inside) < 3:
        return np.zeros(0, dtype=np.float32)
    cosines, targets = data.vectors @ data.vectors.T, data.targets
    lower = rr.factor(
        joint_kernel(cosines.copy(), word_cosines(data.words, data.words), spec), spec.ridge / data.importance
    )
    weights = rr.solve(lower, targets)
    inverted = rr.inverse(lower)
    found = []
    for column in inside:
        block = np.flatnonzero(data.columns == column)
        labels = rr.leave_block_out(inverted, weights, targets, block)
        others = np.flatnonzero(data.near & (data.columns != column))
        labels[:, column] = -np.inf
        found.append(scope_score(labels, nearest_mean(cosines[np.ix_(block, others)]), data.outside))
    return np.concatenate(found).astype(np.float32)

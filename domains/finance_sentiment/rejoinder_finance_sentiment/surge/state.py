"""What the detector remembers: arrays with one row a series, so that a step over ten thousand series is a step over arrays."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Json

__all__ = ["DAY_PARTS", "EXPERTS", "STATISTICS", "TAIL_BINS", "WEEK_HOURS", "FloatArray", "IntArray", "Part", "State"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Part = dict[str, FloatArray]
"""The numbers of the series that a step is about, by name; changed in place."""

EXPERTS: Final = 4
STATISTICS: Final = 5
DAY_PARTS: Final = 48
WEEK_HOURS: Final = 168
TAIL_BINS: Final = 64

_VERSION: Final = 1

_NUMBERS: Final = (
    "rows",  # how many rows were seen
    "history",  # how many of them the tails hold: recent ones count whole, older ones less
    "fast",  # the experts' levels
    "slow",
    "day_offset",
    "week_offset",
    "mean",  # of the values, and their mean absolute deviation from it
    "deviation",
    "size",  # mean absolute value, and the share of values that are not 0
    "busy",
    "residual",  # mean absolute error of the forecast, and of the forecast that knows no last value
    "slow_residual",
    "short",  # smoothed errors of the latter, and their mean absolute values
    "short_size",
    "long",
    "long_size",
    "last",  # the value before
    "step",  # mean absolute step from value to value: of late, and in general
    "usual_step",
    "peak",  # the report that others must exceed, and for how many rows
    "rest",
    "habit",  # how many reports there were of late
)
_TABLES: Final = {
    "errors": (EXPERTS,),
    "day": (DAY_PARTS,),
    "day_rows": (DAY_PARTS,),
    "week": (WEEK_HOURS,),
    "week_rows": (WEEK_HOURS,),
    "tails": (STATISTICS, 2, TAIL_BINS),
}


class State:
    """Everything that is remembered of each series. All sizes are fixed, whatever the series' length."""

    def __init__(self, series: int) -> None:
        self.numbers: dict[str, FloatArray] = {name: np.zeros(series) for name in _NUMBERS}
        self.tables = {name: np.zeros((series, *shape), dtype=np.float32) for name, shape in _TABLES.items()}

    def __len__(self) -> int:
        return len(self.numbers["rows"])

    @property
    def bytes_per_series(self) -> int:
        """Bytes that one series takes."""
        return len(_NUMBERS) * 8 + sum(4 * int(np.prod(shape)) for shape in _TABLES.values())

    def take(self, series: IntArray) -> Part:
        """Copy the numbers of these series."""
        return {name: values[series] for name, values in self.numbers.items()}

    def put(self, series: IntArray, part: Part) -> None:
        """Write them back."""
        for name, values in part.items():
            self.numbers[name][series] = values

    def export(self, series: int) -> dict[str, Json]:
        """Return one series' state as JSON, of constant size."""
        numbers = np.array([values[series] for values in self.numbers.values()], dtype="<f8").tobytes()
        tables = b"".join(table[series].astype("<f4").tobytes() for table in self.tables.values())
        return {"version": _VERSION, "state": base64.b64encode(numbers + tables).decode("ascii")}

    def restore(self, series: int, data: Mapping[str, Json]) -> None:
        """Take over what `export` gave.

        Raises:
            InvalidInputError: it is of another version, or not such a state.
        """
        version, text = data.get("version"), data.get("state")
        if version != _VERSION or not isinstance(text, str):
            raise InvalidInputError(
                f"the detector's state has version {version!r}, expected {_VERSION}; start the series anew"
            )
        try:
            raw = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise InvalidInputError(f"the detector's state is not base64 ({error}); start the series anew") from error
        if len(raw) != self.bytes_per_series:
            raise InvalidInputError(
                f"the detector's state has {len(raw)} bytes, expected {self.bytes_per_series}; start the series anew"
            )
        numbers = np.frombuffer(raw, dtype="<f8", count=len(_NUMBERS))
        for values, value in zip(self.numbers.values(), numbers, strict=True):
            values[series] = value
        offset = len(_NUMBERS) * 8
        for name, shape in _TABLES.items():
            table = np.frombuffer(raw, dtype="<f4", count=int(np.prod(shape)), offset=offset).reshape(shape)
            self.tables[name][series] = table
            offset += table.nbytes

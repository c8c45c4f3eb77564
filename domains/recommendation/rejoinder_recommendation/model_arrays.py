"""Sources and rankers as named arrays and JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rejoinder_recommendation.histories import Histories

__all__ = ["pack", "unpack"]


def pack(values: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays by path, such as `ease/_inner`, and the rest as JSON can say it; `unpack` makes the values again.

    Args:
        values: arrays, CSR matrices, `Histories`, numbers, strings, None, and mappings of these.
    """
    arrays: dict[str, NDArray[Any]] = {}
    rest: dict[str, Any] = {}
    for name, value in values.items():
        kind, parts = _parts(value)
        if parts is None:
            rest[name] = value
            continue
        if isinstance(parts, np.ndarray):
            arrays[name] = parts
            continue
        below, said = pack(parts)
        arrays |= {f"{name}/{path}": array for path, array in below.items()}
        rest[name] = {"kind": kind, "values": said}
    return arrays, rest


def unpack(arrays: Mapping[str, NDArray[Any]], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `pack` was given."""
    found: dict[str, Any] = {name: array for name, array in arrays.items() if "/" not in name}
    for name, said in rest.items():
        if not isinstance(said, dict):
            found[name] = said
            continue
        below = {path.removeprefix(f"{name}/"): array for path, array in arrays.items() if path.startswith(f"{name}/")}
        found[name] = _whole(said["kind"], unpack(below, said["values"]))
    return found


def _parts(value: Any) -> tuple[str, Any]:
    """Return what a value is made of: an array, a mapping, or None for what JSON can say."""
    if isinstance(value, np.ndarray):
        return "array", value
    if isinstance(value, Mapping):
        return "mapping", value
    if isinstance(value, Histories):
        names = ("starts", "items", "seconds", "n_items")
        return "histories", {name: getattr(value, name) for name in names}
    if sparse.issparse(value):
        rows, columns = value.shape
        parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr}
        return "csr", {**parts, "rows": int(rows), "columns": int(columns)}
    return "plain", None


def _whole(kind: str, parts: dict[str, Any]) -> Any:
    if kind == "histories":
        return Histories(**parts)
    if kind == "csr":
        shape = parts["rows"], parts["columns"]
        return sparse.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    return parts

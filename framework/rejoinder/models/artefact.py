"""Model folders: arrays as safetensors, everything else as JSON, written beside and renamed, with SHA-256 sums checked at load.

No pickle: reading a model never runs code.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from rejoinder.errors import ModelIntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ARRAYS: Final = "model.safetensors"
MANIFEST: Final = "model.json"


def save_artefact(folder: Path, *, kind: str, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
    """Write a model into `folder`, which is made if need be.

    The arrays get a new file name each time and the manifest, renamed last, names it: whoever loads meanwhile sees the old or the new
    model, never a mixture.

    Args:
        folder: where the model goes.
        kind: what can read it, such as "text_classifier/1"; `load_artefact` refuses another.
        arrays: by name; any shape and any plain dtype.
        settings: what JSON can say.
    """
    import numpy as np
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(data).hexdigest()
    arrays_name = f"{digest[:12]}.{ARRAYS}"
    write_durably(folder / arrays_name, data)
    manifest = {"kind": kind, "arrays": arrays_name, "arrays_sha256": digest, "settings": dict(settings)}
    manifest["sha256"] = _sum_of(manifest)
    write_durably(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    for old in folder.glob(f"*.{ARRAYS}"):
        if old.name != arrays_name:
            old.unlink(missing_ok=True)


def load_artefact(folder: Path, *, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `save_artefact` wrote: the arrays and the settings.

    Raises:
        ModelIntegrityError: a file is missing, damaged or of another kind; the message names the file.
    """
    from safetensors.numpy import load

    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(_read(path).decode("utf-8"))
        expected = manifest.pop("sha256")
        found = _sum_of(manifest)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelIntegrityError(
            f"{path} is damaged: {error}; restore this model version from a copy or fit it again"
        ) from error
    _check(path, expected, found)
    if manifest["kind"] != kind:
        raise ModelIntegrityError(
            f"{path} holds a model of kind {manifest['kind']!r}, expected {kind!r}; another version made it: fit it again"
        )
    file = Path(folder) / str(manifest["arrays"])
    data = _read(file)
    _check(file, manifest["arrays_sha256"], hashlib.sha256(data).hexdigest())
    return load(data), manifest["settings"]


def write_durably(path: Path, data: bytes) -> None:
    """Write a file beside and rename it: whoever reads meanwhile, or after a crash, sees all of it or nothing."""
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _check(path: Path, expected: str, found: str) -> None:
    if expected != found:
        raise ModelIntegrityError(
            f"{path} is damaged: SHA-256 expected {expected}, found {found}; restore this model version from a copy or fit it again"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelIntegrityError(f"{path} cannot be read: {error.strerror or error}") from error


def _sum_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

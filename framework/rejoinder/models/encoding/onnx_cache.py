"""Converted encoders, kept between starts: made once by a process of its own, checked whenever one is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from rejoinder.errors import ModelError

if TYPE_CHECKING:
    from rejoinder.models.encoding.pooling import Pooling
    from rejoinder.models.encoding.source import Source

__all__ = ["ConversionError", "converted", "default_cache_dir"]

_FORMAT: Final = 1
"""Counts up whenever the conversion changes, so that what older code made is not used."""

_LONGEST_S: Final = 900.0


class ConversionError(ModelError):
    """A model cannot be converted to ONNX here."""


def default_cache_dir() -> Path:
    """Return the folder `rejoinder` in the user's cache folder, as the system has it; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rejoinder"


def converted(source: Source, pooling: Pooling, *, precision: str, version: str, cache_dir: Path | None = None) -> Path:
    """Return the ONNX file of an encoder; the first time, and when the file is damaged, it is made (about 10 to 60 s).

    Processes that ask at the same time wait for the one that makes it.

    Args:
        source: the checked files.
        pooling: how vectors are made of the states.
        precision: "float32" or "int8".
        version: of onnxruntime, which decides what is fused and how numbers are rounded.
        cache_dir: where the files are kept, below `onnx/`; None: `default_cache_dir`.

    Raises:
        ConversionError: it cannot be converted or written, or another process has been at it for 15 minutes.
    """
    reduce_range = precision == "int8" and _overflows()
    settings = [_FORMAT, source.config, pooling.mode, pooling.normalised, reduce_range]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    name = f"{source.weights_sha256[:16]}-{precision}-{digest[:8]}-onnxruntime-{version}"
    root = (cache_dir or default_cache_dir()) / "onnx"
    file = root / name / "model.onnx"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{name}.lock", timeout=_LONGEST_S):
            if not _is_whole(file):
                _make(source, pooling, file, precision=precision, reduce_range=reduce_range)
    except Timeout as error:
        raise ConversionError(
            f"another process has held {root / name}.lock for {_LONGEST_S:.0f} s: end it, then start again"
        ) from error
    except OSError as error:
        raise ConversionError(
            f"the converted encoder cannot be kept in {root} ({error}): set encoder.cache_dir to a folder that can be written, or "
            'encoder.backend to "torch"'
        ) from error
    return file


def _is_whole(file: Path) -> bool:
    noted = file.with_name("model.onnx.sha256")
    return file.is_file() and noted.is_file() and noted.read_text(encoding="ascii").strip() == _sha256(file)


def _make(source: Source, pooling: Pooling, file: Path, *, precision: str, reduce_range: bool) -> None:
    """Make the file and its sum in a folder beside, and put that in place."""
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=file.parent.parent))
    try:
        request = {
            "folder": str(source.folder.absolute()),
            "mode": pooling.mode,
            "normalised": pooling.normalised,
            "target": str(beside / file.name),
            "precision": precision,
            "reduce_range": reduce_range,
        }
        command = [sys.executable, "-W", "ignore", "-m", "rejoinder.models.encoding.onnx_export", json.dumps(request)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)  # noqa: S603
        if done.returncode != 0:
            raise ConversionError(
                f"the encoder in {source.folder} could not be converted to ONNX ({precision}): "
                f"{done.stderr.strip()[-500:] or f'exit code {done.returncode}'}"
            )
        (beside / "model.onnx.sha256").write_text(_sha256(beside / file.name), encoding="ascii")
        shutil.rmtree(file.parent, ignore_errors=True)
        beside.rename(file.parent)
    except subprocess.TimeoutExpired as error:
        raise ConversionError(
            f"converting the encoder in {source.folder} to ONNX took over {_LONGEST_S:.0f} s"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _overflows() -> bool:
    """Whether sums of products of 8 bits can overflow here: on x86 without VNNI, or where that is not known."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True

"""Which backend runs the encoder here, and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal, get_args

from rejoinder.errors import ModelError, did_you_mean

__all__ = ["BackendName", "Choice", "choose_backend"]

BackendName = Literal["auto", "torch", "onnx", "onnx-int8"]
"""What can be asked for: "onnx" is float32 on the CPU, "onnx-int8" 8 bits on the CPU, "torch" float32 on the CPU or bfloat16 on CUDA."""

_ONNX: Final = ("onnxruntime", "onnx", "torch", "transformers")
"""What ONNX needs: the last three only to convert a model, which is done once."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision.

    Attributes:
        backend: "torch", "onnx" or "onnx-int8".
        device: a torch device; "cpu" for ONNX.
        reason: why it is this one, as part of a sentence.
        possible: for every combination of backend and device, in order of preference: None where it could be used, else why not.
    """

    backend: str
    device: str
    reason: str
    possible: dict[str, str | None]


def choose_backend(backend: str = "auto", device: str = "auto") -> Choice:
    """Decide what runs the encoder.

    With "auto": torch on CUDA in bfloat16 where torch sees a GPU, else ONNX Runtime in float32 where it is installed, else torch on the
    CPU. int8 is never chosen by itself, for it costs a little accuracy.

    Args:
        backend: one of `BackendName`.
        device: "auto", "cpu", or any device that torch knows, such as "cuda:1".

    Raises:
        ModelError: what was asked for cannot be used here, or nothing can; the message says why.
    """
    if backend not in get_args(BackendName):
        raise ModelError(
            f"there is no encoder backend {backend!r}.{did_you_mean(backend, get_args(BackendName))} "
            f"One of {', '.join(get_args(BackendName))}"
        )
    no_torch, no_cuda, no_onnx = _missing("torch"), _why_no_cuda(), _missing(*_ONNX)
    possible = {"torch cuda": no_cuda, "onnx cpu": no_onnx, "torch cpu": no_torch, "onnx-int8 cpu": no_onnx}
    kind = device.partition(":")[0]
    if backend.startswith("onnx"):
        if device not in ("auto", "cpu"):
            raise ModelError(
                f'the encoder backend {backend!r} runs on the CPU only (got the device {device!r}): set encoder.device to "cpu", '
                'or encoder.backend to "torch"'
            )
        return _asked(Choice(backend, "cpu", "encoder.backend asks for it", possible), no_onnx)
    if kind not in ("auto", "cpu"):
        why_not = no_cuda if kind == "cuda" else no_torch
        return _asked(
            Choice("torch", device, "encoder.device asks for it, and only torch runs there", possible), why_not
        )
    if kind == "auto" and no_cuda is None:
        return Choice("torch", "cuda", "torch sees a CUDA device, which is fastest", possible)
    cpu = "encoder.device asks for the CPU" if kind == "cpu" else no_cuda
    if backend == "torch":
        return _asked(Choice("torch", "cpu", f"encoder.backend asks for torch, and {cpu}", possible), no_torch)
    if no_onnx is None:
        return Choice("onnx", "cpu", f"{cpu}; ONNX Runtime is faster than torch on the CPU", possible)
    return _asked(Choice("torch", "cpu", f"{cpu}, and {no_onnx}", possible), no_torch)


def _asked(choice: Choice, why_not: str | None) -> Choice:
    if why_not is not None:
        raise ModelError(f"the encoder cannot run on {choice.backend} {choice.device}: {why_not}")
    return choice


def _missing(*packages: str) -> str | None:
    """Say which packages are not installed; None: all are."""
    missing = [package for package in packages if _version(package) is None]
    if not missing:
        return None
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed (pip install 'rejoinder[models]')"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _why_no_cuda() -> str | None:
    """Say why torch sees no CUDA device; None: it sees one. Importing torch takes seconds, so the cheap signs are looked at first."""
    found = _version("torch")
    if found is None:
        return _missing("torch")
    if found.endswith("+cpu"):
        return f"the installed torch ({found}) was built without CUDA"
    if sys.platform == "darwin" or (
        sys.platform == "linux" and not any(Path(sign).exists() for sign in ("/dev/nvidiactl", "/dev/dxg"))
    ):
        return "this machine has no NVIDIA GPU"
    import torch

    if torch.version.cuda is None:
        return f"the installed torch ({found}) was built without CUDA"
    return None if torch.cuda.is_available() else "torch sees no CUDA device"

"""Where training runs: one device in this process, or several processes through accelerate."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from rejoinder.models.training.settings import TrainingSettings

_CPU_OUT_OF_MEMORY: Final = ("DefaultCPUAllocator", "not enough memory")


class Hardware:
    """One device.

    Attributes:
        device: where tensors go.
        main: whether this process reports and writes.
        bf16: whether the encoder runs in bfloat16.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        """Choose the device.

        Raises:
            SettingsError: the device is unknown or not there.
        """
        import torch

        name = settings.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.device = torch.device(name)
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise SettingsError(f"TrainingSettings.device is {name!r}, which cannot be used here: {error}") from error
        self.bf16 = _has_bf16(self.device) if settings.precision == "auto" else settings.precision == "bf16"
        self.main = True

    def wrap(self, module: torch.nn.Module) -> torch.nn.Module:
        """Return what the forward pass of training is to call."""
        return module

    def own(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the part of a batch that this process runs."""
        return rows

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which the encoder runs."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def backward(self, loss: torch.Tensor) -> None:
        """Add a part's gradients."""
        loss.backward()  # type: ignore[no-untyped-call]  # torch

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes."""
        return value

    def can_halve(self) -> bool:
        """Return whether this process may run smaller parts on its own."""
        return True


def _has_bf16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16; on CPUs without them it would be slower than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


class SeveralProcesses(Hardware):
    """One of several processes that `accelerate launch` or `torchrun` started, each with a device of its own."""

    def __init__(self, settings: TrainingSettings) -> None:
        """Join the others.

        Raises:
            ModelError: accelerate is not installed.
        """
        try:
            accelerate: Any = import_module("accelerate")
        except ImportError as error:
            raise ModelError(
                f"training on several devices needs accelerate, which is not installed ({error}): "
                "install it with `pip install 'rejoinder[models]'`"
            ) from error
        self._accelerator: Any = accelerate.Accelerator(cpu=settings.device == "cpu")
        super().__init__(settings)
        self.device = self._accelerator.device
        self.main = bool(self._accelerator.is_main_process)

    def wrap(self, module: torch.nn.Module) -> torch.nn.Module:
        """Let gradients be shared."""
        wrapped: torch.nn.Module = self._accelerator.prepare(module)
        return wrapped

    def own(self, rows: Sequence[int]) -> Sequence[int]:
        """Return every so-manieth row; never none, since each process must take part: then the first, which counts double."""
        count, place = self._accelerator.num_processes, self._accelerator.process_index
        return rows[place::count] or rows[:1]

    def backward(self, loss: torch.Tensor) -> None:
        """Add gradients; they are the mean over processes, so the loss is multiplied by their number."""
        self._accelerator.backward(loss * self._accelerator.num_processes)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes."""
        found: torch.Tensor = self._accelerator.reduce(value.detach().clone(), reduction="sum")
        return found

    def can_halve(self) -> bool:
        """Return False: the others would wait."""
        return False


def find_hardware(settings: TrainingSettings) -> Hardware:
    """Return where this process trains; several processes show by `WORLD_SIZE`, which their launcher sets."""
    return SeveralProcesses(settings) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Hardware(settings)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, on a GPU or on the CPU, where torch raises a plain RuntimeError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _CPU_OUT_OF_MEMORY)

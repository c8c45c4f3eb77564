"""Loading an encoder of any kind through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rejoinder.errors import ModelIntegrityError
from rejoinder.models.encoding.source import needing_models

if TYPE_CHECKING:
    import torch

    from rejoinder.models.encoding.source import Source

__all__ = ["load_transformers_model", "model_inputs"]


def load_transformers_model(source: Source, *, attention: str | None = None) -> torch.nn.Module:
    """Load the weights in float32 on the CPU, for inference.

    Args:
        source: the checked files.
        attention: transformers' `attn_implementation`; None leaves the choice to it.

    Raises:
        ModelIntegrityError: the weights do not belong to the configuration; the message names some that are missing.
    """
    with needing_models():
        import torch
        from transformers import AutoModel
    with _quiet_loading():
        model, info = AutoModel.from_pretrained(
            str(source.folder),
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            **({} if attention is None else {"attn_implementation": attention}),
        )
    # Nothing here reads the pooler, and many checkpoints come without it.
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ModelIntegrityError(
            f"{source.weights} lacks {len(missing)} weights that {source.folder / 'config.json'} asks for, such as {missing[0]}: the two "
            "files do not belong together; download the model again"
        )
    found: torch.nn.Module = model.eval()
    return found


def model_inputs(model: Any) -> tuple[str, ...]:
    """Return the names of the arguments that the model reads of a `TokenBatch`: ids, mask and, where it knows them, types."""
    import inspect

    wanted = inspect.signature(model.forward).parameters
    return tuple(name for name in ("input_ids", "attention_mask", "token_type_ids") if name in wanted)


class _quiet_loading:  # noqa: N801 - used as a function, in a with statement
    """Keep transformers from drawing progress bars and reports on a server's log while a model loads."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._was_on = bool(logging.is_progress_bar_enabled())
        self._level = logging.get_verbosity()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
        if self._was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]

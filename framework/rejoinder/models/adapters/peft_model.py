"""What the methods that go through peft have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import SettingsError
from rejoinder.models.adapters.method import quiet_peft

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

PREFIX: Final = "base_model.model."
"""What peft puts before the base's own names."""

NOT_READ: Final = r".*\bpooler\b.*"
"""Modules that no vector of ours passes through: they would get no gradient."""


class PeftAttachment:
    """A base wrapped by peft; see `Attachment`. Without a penalty and without state of its own."""

    def __init__(self, model: torch.nn.Module, config: Any) -> None:
        """Wrap `model` as peft's `config` says.

        Raises:
            SettingsError: peft refuses; the message is peft's.
        """
        from peft import get_peft_model

        try:
            with quiet_peft():
                self.model: Any = get_peft_model(model, config)
        except ValueError as error:
            raise SettingsError(f"peft cannot adapt {type(model).__name__} with these settings: {error}") from error
        self.config: Any = self.model.peft_config["default"]

    def states(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Run the base, in which peft has put its layers; see `Attachment.states`."""
        found: torch.Tensor = self.model.base_model.model(**inputs(self.model, ids, mask, types)).last_hidden_state
        return found

    def penalty(self) -> torch.Tensor | None:
        """Return None."""
        return None

    def after_step(self, step: int) -> None:
        """Do nothing."""

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return nothing: the parameters are all there is."""
        return {}

    def restore(self, arrays: Mapping[str, torch.Tensor]) -> None:
        """Do nothing."""


def inputs(
    model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return the arguments of a base's forward pass; token types only where the model has them (RoBERTa has one type)."""
    found = {"input_ids": ids, "attention_mask": mask}
    if int(getattr(model.config, "type_vocab_size", 0) or 0) > 1:
        found["token_type_ids"] = types
    return found


def factors(model: torch.nn.Module) -> dict[str, Any]:
    """Return the modules in which peft put low-rank factors, by their names in the base."""
    return {
        name.removeprefix(PREFIX): module
        for name, module in model.named_modules()
        if hasattr(module, "lora_A") and hasattr(module, "scaling")
    }

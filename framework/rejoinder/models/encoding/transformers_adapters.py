"""Adapters on encoders that only transformers can run: through peft, the rows of one adapter at a time."""

from __future__ import annotations

import copy
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rejoinder.errors import ModelError, SettingsError
from rejoinder.models.adapters.adapter import base_hash
from rejoinder.models.encoding.transformers_model import load_transformers_model, model_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.source import Source
    from rejoinder.models.encoding.tokens import TokenBatch

    _States = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

__all__ = ["AdaptedTransformer"]


class AdaptedTransformer:
    """A base of any kind, and for each adapter a copy that shares all of the base's weights but what the adapter changes.

    Slower for mixed batches than `AdaptedBert`. What is made ready of an adapter lives as long as the `Adapter`.
    """

    def __init__(self, source: Source, device: torch.device) -> None:
        """Load the base onto `device`; raises `ModelIntegrityError` when the weights do not fit the model's kind."""
        self._base: Any = load_transformers_model(source).to(device)
        self._inputs = model_inputs(self._base)
        self._base_hash = base_hash(source.weights_sha256)
        self._device = device
        self._ready: WeakKeyDictionary[Adapter, _States] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None) -> torch.Tensor:
        """Return (n, length, dim) of a batch (inside `inference_mode`); errors as `AdaptedBert`."""
        import torch

        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._device.type != "cpu"):
            return self._run(batch, adapters)

    def _run(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None) -> torch.Tensor:
        import torch

        given = [torch.from_numpy(one).to(self._device) for one in (batch.ids, batch.mask, batch.types)]
        groups: dict[Adapter | None, list[int]] = {}
        for row in range(len(batch)):
            groups.setdefault(adapters[row] if adapters else None, []).append(row)
        if len(groups) == 1:
            return self._model(next(iter(groups)))(*given)
        found = [self._model(one)(*(values[rows] for values in given)) for one, rows in groups.items()]
        order = torch.tensor([row for rows in groups.values() for row in rows], device=self._device)
        return torch.cat(found)[order.argsort()]

    def _model(self, adapter: Adapter | None) -> _States:
        if adapter is None:
            return self._unchanged
        with self._lock:
            found = self._ready.get(adapter)
            if found is None:
                adapter.check_base(self._base_hash)
                found = self._ready[adapter] = _with_adapter(self._sharing_copy(), adapter, self._device)
        return found

    def _unchanged(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        hidden: torch.Tensor = self._base(**{name: given[name] for name in self._inputs}).last_hidden_state
        return hidden

    def _sharing_copy(self) -> torch.nn.Module:
        """A copy of the base's modules with the same tensors in them."""
        same = [*self._base.parameters(), *self._base.buffers()]
        found: torch.nn.Module = copy.deepcopy(self._base, {id(one): one for one in same})
        return found


def _with_adapter(model: torch.nn.Module, adapter: Adapter, device: torch.device) -> _States:
    """Change `model` as the adapter says; raises `ModelError` where it does not fit."""
    import torch

    makers = {"lora": _low_rank, "prefix_tuning": _prefix, "full": _full}
    if adapter.method not in makers:
        raise ModelError(f"adapter {adapter.id} is of the method {adapter.method!r}, expected {', '.join(makers)}")
    with torch.inference_mode(False):
        try:
            attached = makers[adapter.method](model, adapter)
        except (RuntimeError, KeyError, ValueError, SettingsError) as error:  # shapes and names that do not fit
            raise ModelError(f"adapter {adapter.id} does not fit this encoder: {error}") from error
        attached.model.to(device).eval().requires_grad_(False)
    states: _States = attached.states
    return states


def _low_rank(model: torch.nn.Module, adapter: Adapter) -> Any:
    from peft import LoraConfig, set_peft_model_state_dict

    from rejoinder.models.adapters.peft_model import PeftAttachment, factors

    config = LoraConfig(
        **{name: adapter.settings[name] for name in ("r", "lora_alpha", "use_rslora", "target_modules", "rank_pattern")}
    )
    attached = PeftAttachment(model, config)
    _strictly(set_peft_model_state_dict(attached.model, _tensors(adapter)), adapter)
    for name, module in factors(attached.model).items():
        module.scaling["default"] = adapter.settings["scaling"][name]
    return attached


def _prefix(model: torch.nn.Module, adapter: Adapter) -> Any:
    from rejoinder.models.adapters.prefix_tuning.method import PrefixTuning
    from rejoinder.models.adapters.prefix_tuning.settings import PrefixTuningSettings

    settings = PrefixTuningSettings(virtual_tokens=adapter.settings["num_virtual_tokens"])
    attached = PrefixTuning().attach(model, settings, total_steps=1)
    attached.model.prompt_encoder["default"].load_prompt_embeddings(_tensors(adapter)["prompt_embeddings"])
    return attached


def _full(model: torch.nn.Module, adapter: Adapter) -> Any:
    from rejoinder.models.adapters.full.method import FullAttachment

    _strictly(model.load_state_dict(_tensors(adapter), strict=False, assign=True), adapter)
    return FullAttachment(model)


def _tensors(adapter: Adapter) -> dict[str, torch.Tensor]:
    import torch

    return {name: torch.from_numpy(array.copy()) for name, array in adapter.arrays.items()}


def _strictly(loaded: Any, adapter: Adapter) -> None:
    if loaded.unexpected_keys:
        raise ModelError(
            f"adapter {adapter.id} changes what this encoder does not have, such as {loaded.unexpected_keys[0]}"
        )

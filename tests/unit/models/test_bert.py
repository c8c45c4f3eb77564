"""Our BERT gives what transformers' gives, and with adapters of any mixture what peft gives for each row alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rejoinder.errors import ModelError
from rejoinder.models.adapters.adapter import Adapter, base_hash, make_adapter
from rejoinder.models.adapters.method import find_method, quiet_peft
from rejoinder.models.encoding import bert as bert_module
from rejoinder.models.encoding.adapted_bert import AdaptedBert
from rejoinder.models.encoding.bert import load_bert
from rejoinder.models.encoding.bert_adapters import GatheredUpdates
from rejoinder.models.encoding.pooling import Pooling
from rejoinder.models.encoding.source import Source
from rejoinder.models.encoding.tokens import TokenBatch
from rejoinder.models.encoding.transformers_adapters import AdaptedTransformer
from rejoinder.models.encoding.transformers_model import load_transformers_model

CPU = torch.device("cpu")
DIM = 32
TOLERANCE = 1e-4

METHODS: dict[str, tuple[str, dict[str, object]]] = {
    "lora on all layers": ("lora", {"rank": 4}),
    "lora on two modules": ("lora", {"rank": 2, "target_modules": ("query", "value")}),
    "rank-stabilised lora": ("lora", {"rank": 8, "rank_stabilised": True, "alpha": 4.0}),
    "adalora": ("adalora", {}),
    "prefix of 3": ("prefix_tuning", {"virtual_tokens": 3}),
    "prefix of 5": ("prefix_tuning", {"virtual_tokens": 5}),
    "full": ("full", {}),
    "the upper layer": ("full", {"freeze_layers": 1, "freeze_embeddings": True}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A small BERT of chance."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
    )
    folder = tmp_path_factory.mktemp("bert")
    model = BertModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return Source("small", Path(folder), "ab" * 32, config.to_dict())


@pytest.fixture(scope="module")
def trained(source: Source) -> dict[str, tuple[Adapter, Any]]:
    """For each of `METHODS` an adapter, and what trained it: a model in transformers and peft."""
    return {name: _trained(source, number, *method) for number, (name, method) in enumerate(METHODS.items())}


@pytest.fixture(scope="module")
def ours(source: Source) -> AdaptedBert:
    base = load_bert(source, CPU)
    assert base is not None
    return AdaptedBert(source, base, CPU)


def _trained(source: Source, seed: int, method: str, settings: dict[str, object]) -> tuple[Adapter, Any]:
    found = find_method(method)
    torch.manual_seed(seed)
    attached = found.attach(load_transformers_model(source), found.settings(**settings), total_steps=10)
    with torch.no_grad():
        for weight in attached.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
    attached.model.eval()
    arrays, kept = attached.extract()
    made = make_adapter(
        method=found.adapter_method, base_hash=base_hash(source.weights_sha256), arrays=arrays, settings=kept
    )
    return made, attached


def _batch(lengths: Sequence[int], seed: int = 0) -> TokenBatch:
    rng = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths))
    mask = (np.arange(shape[1]) < np.array(lengths)[:, None]).astype(np.int64)
    return TokenBatch(rng.integers(1, 50, shape) * mask, mask, rng.integers(0, 2, shape) * mask)


def _row(batch: TokenBatch, row: int) -> tuple[Any, Any, Any]:
    length = int(batch.mask[row].sum())
    ids, mask, types = (torch.from_numpy(one[row : row + 1, :length]) for one in (batch.ids, batch.mask, batch.types))
    return ids, mask, types


def _assert_rows(got: Any, batch: TokenBatch, expected: Sequence[Any]) -> None:
    """Compare each row's tokens with what `expected` gives for the row alone."""
    for row, states in enumerate(expected):
        arguments = _row(batch, row)
        with torch.inference_mode():
            alone = states(*arguments)[0]
        np.testing.assert_allclose(got[row, : len(alone)].numpy(), alone.numpy(), atol=TOLERANCE, err_msg=f"row {row}")


@pytest.mark.parametrize("lengths", [[7], [7, 7], [3, 12, 1], [20, 39, 4, 17]], ids=str)
def test_it_gives_what_transformers_gives(source: Source, ours: AdaptedBert, lengths: list[int]) -> None:
    model = load_transformers_model(source)
    batch = _batch(lengths)
    with torch.inference_mode():
        got = ours(batch, None)

    def states(ids: Any, mask: Any, types: Any) -> Any:
        return model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    assert got.shape == (len(lengths), max(lengths), DIM)
    _assert_rows(got, batch, [states] * len(lengths))


@pytest.mark.parametrize("name", METHODS)
def test_one_adapter_gives_what_peft_gives(
    ours: AdaptedBert, trained: dict[str, tuple[Adapter, Any]], name: str
) -> None:
    adapter, attached = trained[name]
    batch = _batch([9, 5, 9])
    with torch.inference_mode():
        got = ours(batch, [adapter] * 3)
        plain = ours(batch, None)
    _assert_rows(got, batch, [attached.states] * 3)
    assert float((got - plain).abs().max()) > 0.01


@pytest.mark.parametrize("gathered", [False, True], ids=["by segments", "gathered"])
@pytest.mark.parametrize("lengths", [[6] * 11, [4, 30, 1, 9, 9, 2, 17, 8, 6, 3, 5]], ids=["equal", "padded"])
def test_every_mixture_gives_what_peft_gives_for_each_row(
    ours: AdaptedBert,
    trained: dict[str, tuple[Adapter, Any]],
    lengths: list[int],
    gathered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if gathered:
        monkeypatch.setattr(bert_module, "SegmentedUpdates", GatheredUpdates)
    names: list[str | None] = [*METHODS, None, "adalora", "lora on two modules"]
    batch = _batch(lengths, seed=1)

    def unchanged(ids: Any, mask: Any, types: Any) -> Any:
        return ours(TokenBatch(ids.numpy(), mask.numpy(), types.numpy()), None)

    with torch.inference_mode():
        got = ours(batch, [None if name is None else trained[name][0] for name in names])
    _assert_rows(got, batch, [unchanged if name is None else trained[name][1].states for name in names])


def test_a_prefix_gives_what_pefts_own_forward_pass_gives(
    ours: AdaptedBert, trained: dict[str, tuple[Adapter, Any]]
) -> None:
    adapter, attached = trained["prefix of 3"]
    batch = _batch([9, 4])
    untyped = replace(batch, types=np.zeros_like(batch.types))  # peft gives no types to the model
    with torch.inference_mode(), quiet_peft():
        got = ours(untyped, [adapter, adapter])
        peft = attached.model(
            input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.mask)
        ).last_hidden_state
    real = batch.mask.astype(bool)
    np.testing.assert_allclose(got.numpy()[real], peft.numpy()[real], atol=TOLERANCE)


def test_models_of_other_kinds_run_one_adapter_at_a_time(
    source: Source, trained: dict[str, tuple[Adapter, Any]]
) -> None:
    model = AdaptedTransformer(source, CPU)
    names = [*METHODS, "prefix of 3"]
    batch = _batch([4, 30, 1, 9, 9, 2, 17, 8, 6], seed=2)
    with torch.inference_mode():
        got = model(batch, [*(trained[name][0] for name in names)])
        plain = model(batch, None)
    _assert_rows(got, batch, [trained[name][1].states for name in names])
    with torch.inference_mode():
        np.testing.assert_array_equal(model(batch, [None] * 9).numpy(), plain.numpy())


def test_a_batch_without_adapters_takes_the_plain_way(source: Source) -> None:
    base = load_bert(source, CPU)
    assert base is not None
    asked: list[object] = []

    def watching(batch: TokenBatch, adapters: object = None) -> Any:
        asked.append(adapters)
        return base(batch)

    model = AdaptedBert(source, base, CPU)
    model._base = watching  # type: ignore[assignment]
    with torch.inference_mode():
        model(_batch([3]), [None])
        model(_batch([3]), None)
    assert asked == [None, None]


def test_what_was_made_ready_goes_with_the_adapter(source: Source, trained: dict[str, tuple[Adapter, Any]]) -> None:
    base = load_bert(source, CPU)
    assert base is not None
    model = AdaptedBert(source, base, CPU)
    old = trained["full"][0]
    adapter = make_adapter(method="full", base_hash=old.base_hash, arrays=old.arrays, settings={"of": "its own"})
    with torch.inference_mode():
        model(_batch([3]), [adapter])
    assert len(model._ready) == 1
    del adapter
    assert len(model._ready) == 0


def test_low_rank_factors_are_not_copied(source: Source, trained: dict[str, tuple[Adapter, Any]]) -> None:
    base = load_bert(source, CPU)
    assert base is not None
    model = AdaptedBert(source, base, CPU)
    adapter = trained["lora on all layers"][0]
    with torch.inference_mode():
        model(_batch([3]), [adapter])
    own = {array.ctypes.data for array in adapter.arrays.values()}
    used = {
        tensor.data_ptr()
        for updates in model._ready[adapter].low_rank.values()  # type: ignore[union-attr]
        for one in updates
        for tensor in (one.a, one.b)
    }
    assert used == own


def _changed(
    adapter: Adapter, *, arrays: Any = None, method: str | None = None, base_hash: str | None = None
) -> Adapter:
    return make_adapter(
        method=method or adapter.method,
        base_hash=base_hash or adapter.base_hash,
        arrays=arrays or adapter.arrays,
        settings=adapter.settings,
    )


@pytest.mark.parametrize("kind", [AdaptedBert, AdaptedTransformer], ids=["bert", "transformers"])
def test_adapters_that_do_not_fit_are_refused(
    source: Source, trained: dict[str, tuple[Adapter, Any]], kind: type
) -> None:
    base = load_bert(source, CPU)
    model = AdaptedBert(source, base, CPU) if kind is AdaptedBert and base else AdaptedTransformer(source, CPU)
    lora, full = trained["lora on two modules"][0], trained["full"][0]
    prefix = trained["prefix of 3"][0]
    elsewhere = {name.replace("layer.1", "layer.7"): array for name, array in lora.arrays.items()}
    wrong = {
        "trained on the encoder weights 0000": _changed(lora, base_hash="0" * 16),
        "does not have|not fit": _changed(lora, arrays=elsewhere),
        "does not have|not fit|mismatch": _changed(full, arrays={"embeddings.LayerNorm.bias": np.zeros(3)}),
        "does not have": _changed(full, arrays={"nothing": np.zeros(3)}),
        "prefix of width|not fit|Invalid": _changed(prefix, arrays={"prompt_embeddings": np.zeros((3, 12))}),
        "method 'magic'": _changed(lora, method="magic"),
    }
    for message, adapter in wrong.items():
        with pytest.raises(ModelError, match=message), torch.inference_mode():
            model(_batch([3]), [adapter])


def test_a_prefix_that_leaves_no_room_is_refused(ours: AdaptedBert, trained: dict[str, tuple[Adapter, Any]]) -> None:
    with pytest.raises(ModelError, match="no room for a text of 38"), torch.inference_mode():
        ours(_batch([38]), [trained["prefix of 3"][0]])


def test_half_precision_stays_close(source: Source, ours: AdaptedBert) -> None:
    weights = bert_module.read_weights(source, CPU)
    half = bert_module.Bert({name: one.bfloat16() for name, one in weights.items()}, source.config)
    batch = _batch([20, 39, 4, 17])
    with torch.inference_mode():
        vectors = [
            Pooling().pool(states.float(), torch.from_numpy(batch.mask)) for states in (half(batch), ours(batch, None))
        ]
    assert float((vectors[0] * vectors[1]).sum(1).min()) > 0.999

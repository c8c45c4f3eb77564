"""Tiny encoders with random weights, written as a hub would have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "write_model"]

WORDS = "where is my card ? it has not come how are you today the weather fine thank for help a bot".split()  # noqa: SIM905
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_COMMON = {"vocab_size": 40, "max_position_embeddings": 40, "pad_token_id": 0}

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _SIZES | _COMMON),
    "roberta": ("Roberta", _SIZES | _COMMON | {"pad_token_id": 1, "type_vocab_size": 1}),
    "xlm-roberta": ("XLMRoberta", _SIZES | _COMMON | {"pad_token_id": 1, "type_vocab_size": 1}),
    "distilbert": ("DistilBert", _COMMON | {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
    "mpnet": ("MPNet", _SIZES | _COMMON | {"pad_token_id": 1}),
    "deberta-v2": ("DebertaV2", _SIZES | _COMMON | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
}
"""By kind, as transformers names it: its class without "Model", and its configuration."""


def write_model(folder: Path, kind: str = "bert", *, pooling: dict[str, Any] | None = None, seed: int = 0) -> Path:
    """Write a model of this kind into `folder` and return it; `pooling` is the content of `1_Pooling/config.json`."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    name, settings = KINDS[kind]
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(**settings)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)

    padding = settings["pad_token_id"]
    special = ["[CLS]", "[PAD]"] if padding else ["[PAD]", "[CLS]"]
    vocabulary = {word: number for number, word in enumerate([*special, "[SEP]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder

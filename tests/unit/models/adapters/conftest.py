"""A tiny random BERT for adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("peft", reason="needs the extra rejoinder[models]")

from transformers import BertConfig, BertModel


@pytest.fixture
def tiny_bert() -> BertModel:
    """Two layers of 32 numbers, random but the same each time."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BertModel(
            BertConfig(
                vocab_size=40,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                max_position_embeddings=48,
            )
        )


@pytest.fixture
def adapter_folder(tmp_path: Path) -> Path:
    return tmp_path / "adapter"

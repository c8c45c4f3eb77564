"""A tiny random BERT on disk, that trains in seconds."""

from __future__ import annotations

from pathlib import Path

FILL = ("up", "down", "good", "bad", "the", "a", "profit")
WORDS = (*FILL, "loss", "rose", "fell", "sales", "grew", "sank", "firm", "in", "of", "who", "what")


def write_tiny_bert(folder: Path) -> None:
    """Write a BERT of two layers and 32 numbers, with a tokeniser of whole words, `WORDS`; the same each time."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokeniser = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    tokeniser.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder.mkdir(parents=True, exist_ok=True)
    tokeniser.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)

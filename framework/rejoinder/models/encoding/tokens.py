"""Texts to tokens, and what the encoder says about each token of a text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelIntegrityError
from rejoinder.models.encoding.source import needing_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.encoding.source import Source

__all__ = ["MAX_CHARS_PER_TOKEN", "TokenBatch", "TokenStates", "Tokeniser"]

MAX_CHARS_PER_TOKEN: Final = 16
"""Texts are cut to this many characters for each token the model can read before they are tokenised, so that a text of megabytes costs
no more than one of kilobytes. English needs about 4, long words and runs of spaces rarely more than 16."""

_FEW: Final = 64
"""Up to so many texts are tokenised one by one: the library spreads a batch over all cores, which the rest of a server needs, and for so
few that costs more than it gains (18 us a text alone, 24 in a batch of 16)."""

_LONGEST_INPUT_TOKENS: Final = 512
_POSITIONS_AFTER_PADDING: Final = frozenset(
    {
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "longformer",
        "data2vec-text",
        "roberta-prelayernorm",
        "ibert",
    }
)
"""Kinds of model whose positions are counted from the padding token's number + 1, so that as many fewer can be used."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Texts as one padded rectangle.

    Attributes:
        ids: (n, length) int64, the tokens' numbers; padding has the number that the model knows as padding.
        mask: (n, length) int64, 1 for a token, 0 for the padding that follows.
        types: (n, length) int64, 0 for the first text of a pair, 1 for the second; 0 where the model knows no types.
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class TokenStates:
    """What the encoder says about one text, or one pair of texts.

    Attributes:
        vector: (dim,) float32, as `Encoder.encode` gives it.
        states: (length, dim) float32, the last hidden state of each token, special tokens included.
        offsets: (length, 2) int64, the characters [start, end) of each token in its own text; (0, 0) for special tokens.
        sequence: (length,) int64, -1 for special tokens, 0 for the first text, 1 for the second.
    """

    vector: NDArray[np.float32]
    states: NDArray[np.float32]
    offsets: NDArray[np.int64]
    sequence: NDArray[np.int64]


class Tokeniser:
    """The model's own tokeniser, cut to the length that the model was tuned for.

    Attributes:
        max_tokens: most tokens of one text or pair, special ones included.

    Raises:
        ModelIntegrityError: there is no `tokenizer.json`, or it cannot be read.
    """

    def __init__(self, source: Source) -> None:
        """Read `tokenizer.json`; see the class for errors."""
        with needing_models():
            from tokenizers import Tokenizer

        path = source.folder / "tokenizer.json"
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise ModelIntegrityError(
                f"{path} cannot be read ({error}): an encoder folder must hold model.safetensors, config.json and tokenizer.json"
            ) from error
        self.max_tokens: int = _max_tokens(source)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.max_tokens)
        self._pad = int(source.config.get("pad_token_id") or 0)
        self._typed = int(source.config.get("type_vocab_size") or 0) > 1
        self._limit = self.max_tokens * MAX_CHARS_PER_TOKEN

    def encodings(self, texts: Sequence[str | tuple[str, str]]) -> list[Any]:
        """Return an encoding of the tokenizers library for each text or pair; of a pair the longer text is cut first."""
        cut = self._limit
        short = [text[:cut] if isinstance(text, str) else (text[0][:cut], text[1][:cut]) for text in texts]
        if len(short) > _FEW:
            found: list[Any] = self._tokenizer.encode_batch(short)
            return found
        return [
            self._tokenizer.encode(text) if isinstance(text, str) else self._tokenizer.encode(*text) for text in short
        ]

    def batch(self, encodings: Sequence[Any]) -> TokenBatch:
        """Pad encodings to the longest of them."""
        import numpy as np

        shape = (len(encodings), max(len(encoding) for encoding in encodings))
        ids = np.full(shape, self._pad, dtype=np.int64)
        mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1
            if self._typed:
                types[row, : len(encoding)] = encoding.type_ids
        return TokenBatch(ids, mask, types)


def places(encoding: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `offsets` and `sequence` of `TokenStates` for one encoding."""
    import numpy as np

    sequence = np.array([-1 if found is None else found for found in encoding.sequence_ids], dtype=np.int64)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    offsets[sequence < 0] = 0
    return offsets, sequence


def _max_tokens(source: Source) -> int:
    """The length the model was tuned for, which is often shorter than the positions it has."""
    longest = _LONGEST_INPUT_TOKENS
    positions = source.config.get("max_position_embeddings")
    if isinstance(positions, int) and positions > 0:
        if source.kind in _POSITIONS_AFTER_PADDING:
            positions -= int(source.config.get("pad_token_id") or 0) + 1
        longest = min(longest, positions)
    tuned = source.folder / "sentence_bert_config.json"
    if tuned.is_file():
        value = json.loads(tuned.read_text(encoding="utf-8")).get("max_seq_length")
        if isinstance(value, int) and value > 0:
            longest = min(longest, value)
    return longest

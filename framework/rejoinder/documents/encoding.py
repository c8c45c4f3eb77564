"""What the encoder reads of a passage, and its vectors as they are kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rejoinder.documents.passages import TokenCount, about_tokens
from rejoinder.errors import ModelError
from rejoinder.learning.encodings import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.encoding.service import EncoderService

    Floats = NDArray[np.float32]

__all__ = ["PassageEncoder", "encoded_text", "sum_of", "token_count", "vector_from", "vector_to"]


@dataclass(frozen=True, slots=True)
class PassageEncoder:
    """The base encoder as ingestion uses it.

    Attributes:
        hash: key of its vectors.
        count: how many tokens texts take.
        encode: gives (n_texts, dim) float32, rows L2-normalised.
    """

    hash: str
    count: TokenCount
    encode: Callable[[Sequence[str]], Awaitable[Floats]]

    @classmethod
    async def of_service(cls, service: EncoderService, tenant: str) -> PassageEncoder | None:
        """Return the encoder of a process that serves, which lets turns go first; None where it has none."""
        try:
            encoder = await service.ready()
        except ModelError:
            return None
        return cls(encoder.hash, token_count(encoder), Reader(service, tenant).vectors)

    @classmethod
    def of_encoder(cls, encoder: Any) -> PassageEncoder:
        """Return an encoder that nobody else uses."""
        return cls(encoder.hash, token_count(encoder), partial(asyncio.to_thread, encoder.encode))


def token_count(encoder: Any) -> TokenCount:
    """Return an encoder's own count of tokens, or about that, where it has none."""
    count: TokenCount = getattr(encoder, "count_tokens", about_tokens)
    return count


def encoded_text(title: str, headings: Sequence[str], text: str) -> str:
    """Return what the encoder and the word index read for a passage: what it is about, and what it says.

    Example:
        >>> encoded_text("Shop", ["Shop", "Refunds"], "Within five days.")
        'Shop > Refunds\\nWithin five days.'
    """
    return "\n".join(part for part in (" > ".join(above(title, headings)), text) if part)


def above(title: str, headings: Sequence[str]) -> tuple[str, ...]:
    """Return a passage's title and headings, outermost first, without repeating the title."""
    return tuple(headings) if not title or title in headings[:1] else (title, *headings)


def sum_of(text: str) -> str:
    """Return the SHA-256 of what the encoder reads."""
    return hashlib.sha256(text.encode()).hexdigest()


def vector_to(vector: Floats) -> bytes:
    """Return a vector as it is kept: float16, whose rounding moves a cosine by less than 0.001."""
    import numpy as np

    return vector.astype(np.float16).tobytes()


def vector_from(data: bytes) -> Floats:
    """Return a kept vector, L2-normalised."""
    import numpy as np

    vector = np.frombuffer(data, dtype=np.float16).astype(np.float32)
    length = float(np.linalg.norm(vector))
    found: Floats = vector / length if length else vector
    return found

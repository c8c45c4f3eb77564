"""Vectors of entities: made from what is said of each, kept beside it in the graph, one set for each encoder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import GraphQueryError, InvalidInputError

if TYPE_CHECKING:
    from rejoinder.graph.space import Space
    from rejoinder.models.learner import FloatArray

__all__ = ["SIGNS", "Vectors"]

SIGNS: Final = 256
"""Of a signature."""

_BATCH: Final = 256
_DIGEST_BYTES: Final = 12
_WARMING_S: Final = 600.0
"""Time for which `embed` waits for the index at most; searches wait for it otherwise."""
_WARMING_PAUSE_S: Final = 1.0


class Vectors:
    """The vectors that one encoder made of one tenant's entities.

    Args:
        encode: gives the vectors of texts, (n, dim) float32.
        encoder_hash: names the encoder.
    """

    def __init__(
        self,
        space: Space,
        *,
        encode: Callable[[Sequence[str]], FloatArray] | None = None,
        encoder_hash: str | None = None,
    ) -> None:
        self.space = space
        self._encode = encode
        self._hash = encoder_hash
        self._dim = 0

    @property
    def encoder_hash(self) -> str:
        """The encoder's name.

        Raises:
            InvalidInputError: this graph has no encoder.
        """
        if self._hash is None:
            raise InvalidInputError(
                "this graph has no encoder, so it has no vectors: give it `encode` and `encoder_hash`"
            )
        return self._hash

    @property
    def dim(self) -> int:
        """Numbers in a vector; 0 as long as no entity has one, or without an encoder."""
        if not self._dim and self._hash is not None:
            rows = self.space.read(f"MATCH (v:{self.space.vector(self._hash)}) RETURN size(v.embedding) LIMIT 1")
            self._dim = int(rows[0][0]) if rows else 0
        return self._dim

    @property
    def usable(self) -> bool:
        """Whether there is an encoder, and an entity that has a vector of it."""
        return self._encode is not None and self.dim > 0

    def of(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of texts, (n, dim) float32.

        Raises:
            InvalidInputError: this graph has no encoder.
        """
        if self._encode is None:
            raise InvalidInputError("this graph has no encoder: give it `encode` and `encoder_hash`")
        return np.asarray(self._encode(texts), dtype=np.float32)

    def stored(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        """Return the vectors, (dim,) float32 of length 1, of the entities among these ids that have one."""
        rows = self.space.read(
            f"UNWIND $ids AS id MATCH (v:{self.space.vector(self.encoder_hash)} {{entity: id}}) RETURN id, v.embedding",
            ids=sorted(ids),
        )
        found = {row[0]: np.array(row[1], dtype=np.float32) for row in rows}
        return {id_: vector / max(float(np.linalg.norm(vector)), 1e-12) for id_, vector in found.items()}

    def embed(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Give a vector to each entity that has none of this encoder, or was changed since; return how many got one.

        Each batch is written at once: whoever starts again after an interruption goes on with the rest.

        Args:
            progress: told how many more are done, after each batch.
        Raises:
            InvalidInputError: this graph has no encoder.
            GraphUnavailableError: the server cannot be reached; what is done stays.
        """
        label = self.space.vector(self.encoder_hash)
        there = {row[0]: row[1] for row in self.space.read(f"MATCH (v:{label}) RETURN v.entity, v.digest")}
        wanted = [
            (id_, text, digest)
            for id_, text in self.space.read(f"MATCH (e:{self.space.entity}) RETURN e.id, e.search")
            if there.get(id_) != (digest := _digest(text))
        ]
        wanted.sort(key=lambda one: len(one[1]))  # texts of like length make the smallest batches of tokens
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            vectors = self.of([text for _, text, _ in batch])
            if not self._dim:
                self.space.index_vectors(self.encoder_hash, vectors.shape[1])
                self._dim = vectors.shape[1]
            self.space.write(
                f"UNWIND $rows AS row MATCH (e:{self.space.entity} {{id: row.id}}) "
                f"MERGE (v:{label} {{entity: row.id}}) "
                "SET v.embedding = row.vector, v.digest = row.digest, v.signature = row.signature",
                rows=[
                    {"id": id_, "vector": vector, "digest": digest, "signature": signature}
                    for (id_, _, digest), vector, signature in zip(
                        batch, vectors.tolist(), _signatures(vectors), strict=True
                    )
                ],
            )
            if progress is not None:
                progress(len(batch))
        if wanted:
            self._warm()
        return len(wanted)

    def _warm(self) -> None:
        """Have the server build its index, which may take longer than one query: it goes on after that query has ended."""
        give_up = time.monotonic() + _WARMING_S
        while time.monotonic() < give_up:
            try:
                self.space.read(
                    f"{self.space.vector_query(self.encoder_hash)} RETURN score", vector=[1.0] * self._dim, limit=1
                )
            except GraphQueryError:
                time.sleep(_WARMING_PAUSE_S)
            else:
                return


def _signatures(vectors: FloatArray) -> list[str]:
    """The signs of random projections of each vector, in hexadecimal: the closer two vectors, the more signs agree."""
    planes = np.random.default_rng(0).standard_normal((vectors.shape[1], SIGNS), dtype=np.float32)
    return [row.tobytes().hex() for row in np.packbits(vectors @ planes > 0, axis=1)]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()

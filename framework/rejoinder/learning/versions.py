"""Fitted models of all tenants on the disk, each a version in the store that names what it was made of."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder import __version__
from rejoinder.errors import ConflictError, ModelIntegrityError
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.payloads import Example
from rejoinder.store.database import Database
from rejoinder.store.ids import new_id
from rejoinder.store.models import add_version, live_version, set_version_state

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray, Learner
    from rejoinder.store.tables import ModelVersion

Encode = Callable[[Sequence[str]], Awaitable["FloatArray"]]

_ANCHORS = "anchors/1"
_MOST_ANCHORS = 2000
_ATTEMPTS = 10

_logger = logging.getLogger("rejoinder.learning")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted learner.

    Attributes:
        version: its name, e.g. "intent-3"; "" while there was nothing to fit on.
        anchors: (n_anchors, dim) float32, vectors of a sample of what it was fitted on, with their labels.
    """

    learner: Learner
    version: str
    anchors: FloatArray
    anchor_labels: tuple[str, ...]


class ModelFolder:
    """Keeps fitted models below a folder: `<tenant>/<task>/<version id>/`."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    async def fitted(
        self,
        tenant: str,
        task: str,
        factory: Callable[[], Learner],
        examples: Sequence[Example],
        encode: Encode,
        *,
        base_hash: str,
        seed: int,
    ) -> Fitted:
        """Return a learner fitted on these examples: the live version where it was made of the same, else a new one.

        Args:
            encode: gives the vectors of texts; called only when something must be fitted.
            base_hash: of the encoder that gives the vectors.
        """
        fingerprint = fingerprint_of(examples)
        live = await live_version(self._database, tenant, task)
        learner = factory()
        made_of = {"learner": f"{type(learner).__module__}.{type(learner).__qualname__}"}
        if live is not None and _same(live, fingerprint, base_hash, seed, made_of):
            try:
                return await asyncio.to_thread(self._load, live, type(learner))
            except ModelIntegrityError as error:
                _logger.warning("model %s of tenant %s cannot be used and is fitted anew: %s", live.id, tenant, error)
        if not examples:
            return Fitted(learner, "", np.zeros((0, 0), dtype=np.float32), ())
        vectors = await encode([example.text for example in examples])
        metrics = await asyncio.to_thread(partial(learner.fit, examples, vectors, seed=seed))
        step = -(-len(examples) // _MOST_ANCHORS)
        labels = tuple(example.label or "" for example in examples[::step])
        version_id = new_id("model")
        folder = self._folder / tenant / task / version_id
        await asyncio.to_thread(_save, learner, folder, vectors[::step], labels)
        add = partial(
            add_version,
            self._database,
            tenant,
            task=task,
            version_id=version_id,
            artefact=str(folder),
            sha256=await asyncio.to_thread(folder_sum, folder),
            base_hash=base_hash,
            data_fingerprint=fingerprint,
            code_version=__version__,
            settings=made_of,
            seed=seed,
            metrics=metrics,
            parent_id=None if live is None else live.id,
        )
        for left in reversed(range(_ATTEMPTS)):
            try:
                row = await add()
                break
            except ConflictError:  # another process took the number
                if not left:
                    raise
        try:
            await set_version_state(self._database, tenant, version_id, "live")
        except ConflictError:
            _logger.info("another process made a version of %s of tenant %s live at the same time", task, tenant)
        return Fitted(learner, f"{task}-{row.number}", vectors[::step], labels)

    def _load(self, version: ModelVersion, kind: type[Learner]) -> Fitted:
        folder = Path(version.artefact)
        if folder_sum(folder) != version.sha256:
            raise ModelIntegrityError(f"{folder}: its files are not those that were saved (SHA-256 differs)")
        arrays, settings = load_artefact(folder / "anchors", kind=_ANCHORS)
        return Fitted(
            kind.load(folder / "head"), f"{version.task}-{version.number}", arrays["vectors"], tuple(settings["labels"])
        )


def fingerprint_of(examples: Sequence[Example]) -> str:
    """Return the SHA-256 of what examples say, in order: equal only for the same training data."""
    digest = hashlib.sha256()
    for example in examples:
        parts = (example.task, example.text, example.label, example.other, example.polarity, example.weight)
        digest.update(repr((*parts, example.target)).encode())
    return digest.hexdigest()


def folder_sum(folder: Path) -> str:
    """Return the SHA-256 of a folder's files and their names.

    Raises:
        ModelIntegrityError: the folder or a file in it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            content = hashlib.sha256(path.read_bytes()).digest()
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    except OSError as error:
        raise ModelIntegrityError(f"{folder}: {error}") from error
    if not files:
        raise ModelIntegrityError(f"{folder}: there are no files")
    return digest.hexdigest()


def _same(version: ModelVersion, fingerprint: str, base_hash: str, seed: int, made_of: dict[str, Any]) -> bool:
    return (version.data_fingerprint, version.base_hash, version.code_version, version.seed, version.settings) == (
        fingerprint,
        base_hash,
        __version__,
        seed,
        made_of,
    )


def _save(learner: Learner, folder: Path, anchors: FloatArray, labels: tuple[str, ...]) -> None:
    learner.save(folder / "head")
    save_artefact(folder / "anchors", kind=_ANCHORS, arrays={"vectors": anchors}, settings={"labels": list(labels)})

"""The model registry: every fitted model is a version in the record store, which names what it was made of, with files in the
artefact store.

A version's folder holds `head/` (the learner), `anchors/` (vectors of a sample of what it learned from) and, where one was trained,
`adapter/`. The version that is live serves, whoever made it. Only those that a server fitted by itself, from base examples, does it fit
anew by itself, when these, the encoder, the seed or the code changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder import __version__
from rejoinder.errors import ConflictError, ModelError, ModelIntegrityError, NotFoundError, did_you_mean
from rejoinder.learning.label_names import with_label_names
from rejoinder.learning.version_folder import ADAPTER, ANCHORS, HEAD
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.learner import gives_one_label
from rejoinder.models.storage import ArtefactStore
from rejoinder.payloads import Example
from rejoinder.store.database import Database
from rejoinder.store.ids import new_id
from rejoinder.store.models import (
    add_version,
    get_version,
    list_versions,
    live_version,
    promoted_before,
    release_artefacts,
    roll_back,
    set_version_state,
)

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.models.learner import FloatArray, Learner
    from rejoinder.settings import DeploymentSettings
    from rejoinder.store.tables import ModelVersion

Encode = Callable[[Sequence[Example]], Awaitable[Any]]
"""Gives what a learner reads of examples."""

KEEP_RETIRED: Final = 3
"""How many retired versions of a task keep their files, unless the settings say otherwise."""

_PRECISIONS: Final[Mapping[str, str]] = {
    "float32": 'encoder.backend = "onnx" (or "torch" with encoder.device = "cpu")',
    "int8": 'encoder.backend = "onnx-int8"',
    "bfloat16": 'encoder.backend = "torch" and encoder.device = "cuda"',
}
"""How each precision of an encoder is asked for."""

_ANCHORS_KIND = "anchors/1"
_BY_HOST = "host"
_MOST_ANCHORS = 2000
_MOST_VERSIONS = 10_000
_ATTEMPTS = 10

_logger = logging.getLogger("rejoinder.learning")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted learner.

    Attributes:
        version: its name, e.g. "intent-3"; "" while there was nothing to fit on.
        anchors: (n_anchors, dim) float32, base vectors of a sample of what it was fitted on, with their labels.
        version_id: its id in the store; "" as above.
        learned_until: whatever was imported later is not in it; None: it holds all that was imported.
        adapter: what `Registry.load_adapter` gives its adapter for, if it has one.
    """

    learner: Learner
    version: str
    anchors: FloatArray
    anchor_labels: tuple[str, ...]
    version_id: str = ""
    learned_until: datetime | None = None
    adapter: str | None = None


class Registry:
    """Model versions of all tenants, with their files.

    Args:
        keep_retired: how many retired versions of a task keep their files, >= 0; the one that a roll-back would bring back always does.
    """

    def __init__(self, database: Database, store: ArtefactStore, *, keep_retired: int = KEEP_RETIRED) -> None:
        self._database = database
        self._store = store
        self._keep_retired = keep_retired
        self._swept = False

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
        stored: Collection[str] = (),
        encoder: TextEncoder | None = None,
    ) -> Fitted:
        """Return the learner of the live version; where there is none, or a server fitted it on something else, fit a new one on these.

        A live version that cannot be used is named in the log: where it was promoted, the one that was live before it serves on.

        Args:
            encode: gives what the learner reads of examples; called only when something must be fitted.
            base_hash: of the encoder that gives it.
            stored: ids of those of the examples that are in the store.
            encoder: that encoder, if what it is is to be told where a version was fitted with another.
        Raises:
            InvalidInputError: something must be fitted, and the learner cannot learn from these examples.
            ModelError: something must be fitted, and cannot be kept.
        """
        live = await live_version(self._database, tenant, task)
        learner = factory()
        made_of = {"origin": _BY_HOST, "learner": f"{type(learner).__module__}.{type(learner).__qualname__}"}
        fingerprint = await asyncio.to_thread(fingerprint_of, examples)
        if live is not None:
            by_host = live.settings.get("origin") == _BY_HOST
            same = partial(_same, fingerprint=fingerprint, base_hash=base_hash, seed=seed, made_of=made_of)
            if not by_host or same(live) or any(map(same, await self._rolled_back(tenant, task))):
                found = await self._usable(
                    live,
                    partial(self.load, kind=type(learner), base_hash=base_hash, encoder=encoder),
                    fall_back=not by_host,
                )
                if found is not None:
                    return found
        if not examples:
            return Fitted(learner, "", np.zeros((0, 0), dtype=np.float32), ())
        learned_from = with_label_names(learner, examples)
        inputs = await encode(learned_from)
        metrics = await asyncio.to_thread(partial(learner.fit, learned_from, inputs, seed=seed))
        draft = await self.draft()
        await asyncio.to_thread(learner.save, draft / HEAD)
        labels: tuple[str, ...] = ()
        anchors = np.zeros((0, 0), dtype=np.float32)
        if gives_one_label(learner):
            anchors, labels = _sample(examples, inputs)
            await asyncio.to_thread(save_anchors, draft, anchors, labels)
        row = await self.add(
            tenant,
            task,
            draft,
            base_hash=base_hash,
            data_fingerprint=fingerprint,
            settings=made_of,
            seed=seed,
            metrics=metrics,
            parent_id=None if live is None else live.id,
            example_ids=sorted(stored),
        )
        try:
            await set_version_state(self._database, tenant, row.id, "live")
        except ConflictError:
            _logger.info("another process made a version of %s of tenant %s live at the same time", task, tenant)
        await self.tidy(tenant, task)
        return Fitted(learner, f"{task}-{row.number}", anchors, labels, row.id)

    async def draft(self) -> Path:
        """Return the path of a folder, to be made, that a version can be written into; `add` takes it from there."""
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(self._store.sweep)
        return await asyncio.to_thread(self._store.draft)

    async def add(
        self, tenant: str, task: str, folder: Path, *, version_id: str | None = None, **lineage: Any
    ) -> ModelVersion:
        """Take a finished folder into the artefact store, then into the record store as a candidate.

        Args:
            folder: with `head/` and whatever else belongs to the version; afterwards it is gone.
            lineage: what `rejoinder.store.models.add_version` takes besides.
        Raises:
            ModelError: the folder holds nothing, or the artefact store cannot be written to.
            ConflictError: there is no such tenant or parent.
        """
        version_id = version_id or new_id("model")
        stored = await asyncio.to_thread(self._store.put, folder, f"{tenant}/{task}/{version_id}")
        add = partial(
            add_version,
            self._database,
            tenant,
            task=task,
            version_id=version_id,
            artefact=stored.address,
            sha256=stored.sha256,
            code_version=__version__,
            **lineage,
        )
        try:
            for left in reversed(range(_ATTEMPTS)):
                try:
                    return await add()
                except ConflictError:  # another process took the number
                    if not left:
                        raise
        except BaseException:
            await asyncio.to_thread(self._store.delete, stored.address)
            raise
        raise AssertionError("unreachable")  # the loop returns or raises

    async def load(
        self, version: ModelVersion, kind: type[Learner], *, base_hash: str, encoder: TextEncoder | None = None
    ) -> Fitted:
        """Return a version's learner, every file of which was checked.

        Args:
            kind: the class that saved it.
            base_hash: of the encoder whose vectors it is to read.
            encoder: that encoder, if what it is is to be told.
        Raises:
            ModelIntegrityError: a file is missing or damaged, or it was fitted for another encoder or by another learner.
            ModelError: the artefact store cannot be reached.
        """
        if version.base_hash != base_hash:
            raise ModelIntegrityError(
                other_precision(version.base_hash, encoder)
                or f"it was fitted on vectors of the encoder {version.base_hash}, and this process has {base_hash}: "
                "use the encoder it was fitted on, or adapt anew"
            )
        folder = await self.files(version)
        return await asyncio.to_thread(_load, version, folder, kind)

    async def files(self, version: ModelVersion) -> Path:
        """Return the local folder of a version's files, every one of which was checked. Raises as `load`."""
        if not version.artefact:
            raise ModelIntegrityError(f"the files of model version {version.id!r} were deleted after it was retired")
        return await asyncio.to_thread(self._store.fetch, version.artefact, version.sha256)

    def load_adapter(self, key: str) -> Adapter:
        """Return the adapter of a fitted learner, by `Fitted.adapter`. It blocks: call it in a thread. Raises as `load`."""
        from rejoinder.models.adapters.adapter import load_adapter

        sha256, _, address = key.partition(" ")
        return load_adapter(self._store.fetch(address, sha256) / ADAPTER)

    async def find(self, tenant: str, version: str) -> ModelVersion:
        """Return a version by its id or its name, such as "intent-3".

        Raises:
            NotFoundError: the tenant has no such version; the text has the closest one.
        """
        rows = await list_versions(self._database, tenant, limit=_MOST_VERSIONS)
        named = {f"{row.task}-{row.number}": row for row in rows} | {row.id: row for row in rows}
        if version not in named:
            hint = did_you_mean(version, named)
            raise NotFoundError(f"there is no model version {version!r}{hint and '.' + hint}")
        return named[version]

    async def promote(self, tenant: str, version_id: str, *, instead_of: str | None = None) -> ModelVersion:
        """Make a version live once its files are known to be sound; the one that was live is retired.

        Args:
            instead_of: only where this version is live still; None: whichever is.
        Raises:
            NotFoundError: the tenant has no such version.
            ConflictError: it is live already, its files were deleted, or another process made another version live at the same time.
            ModelIntegrityError: its files are damaged; nothing was changed.
        """
        version = await get_version(self._database, tenant, version_id)
        if version.state == "live":
            raise ConflictError(f"model version {version_id!r} is live already")
        if version.artefact:
            await self.files(version)
        promoted = await set_version_state(self._database, tenant, version_id, "live", instead_of=instead_of)
        await self.tidy(tenant, promoted.task)
        return promoted

    async def roll_back(self, tenant: str, task: str) -> tuple[ModelVersion, ModelVersion]:
        """Retire the live version of a task and make the one before it live again; return both.

        Raises:
            NotFoundError: no version of the task is live.
            ConflictError: there is none before it, or another process made another version live at the same time.
            ModelIntegrityError: the files of the one before are damaged; nothing was changed.
        """
        live = await live_version(self._database, tenant, task)
        if live is not None:
            for before in await promoted_before(self._database, tenant, live.id, limit=1):
                if before.artefact:
                    await self.files(before)
        return await roll_back(self._database, tenant, task)

    async def tidy(self, tenant: str, task: str) -> None:
        """Delete the files of retired versions that nobody is to roll back to."""
        for address in await release_artefacts(self._database, tenant, task, keep=self._keep_retired):
            try:
                await asyncio.to_thread(self._store.delete, address)
            except ModelError as error:
                _logger.warning("files of a retired model of tenant %s are left behind: %s", tenant, error)

    def delete_files(self, address: str) -> None:
        """Delete the files of a version that gave them up. It blocks: call it in a thread.

        Raises:
            ModelError: the artefact store cannot be reached.
        """
        self._store.delete(address)

    async def _rolled_back(self, tenant: str, task: str) -> list[ModelVersion]:
        """Versions that people did not want: what they were made of is not fitted again."""
        retired = await list_versions(self._database, tenant, task=task, state="retired")
        return [version for version in retired if version.promoted_at is None]

    async def _usable(
        self, live: ModelVersion, load: Callable[[ModelVersion], Awaitable[Fitted]], *, fall_back: bool
    ) -> Fitted | None:
        """Load the live version, or else, with `fall_back`, the last sound one before it; None: one must be fitted."""
        try:
            return await load(live)
        except ModelError as error:
            reason = error
        for before in await promoted_before(self._database, live.tenant_id, live.id) if fall_back else ():
            try:
                found = await load(before)
            except ModelError as error:
                _logger.warning("model %s of tenant %s cannot be used either: %s", before.id, live.tenant_id, error)
                continue
            _logger.warning(
                "model %s of tenant %s cannot be used, and %s, which was live before it, serves on: %s",
                live.id,
                live.tenant_id,
                before.id,
                reason,
            )
            return found
        _logger.warning("model %s of tenant %s cannot be used and is fitted anew: %s", live.id, live.tenant_id, reason)
        return None


def open_registry(database: Database, settings: DeploymentSettings) -> Registry:
    """Return the registry of a deployment."""
    store = ArtefactStore(settings.artefacts_url, cache=settings.data_dir / "cache" / "models")
    return Registry(database, store, keep_retired=settings.models.keep_retired)


def other_precision(base_hash: str | None, encoder: TextEncoder | None) -> str | None:
    """Say what to do where a model was fitted on vectors of the same encoder in another precision; None: it was not.

    Heads and anchors are fitted with the precision that the servers have, so that what a head reads is what it learned from.
    """
    precision_of: Callable[[str], str | None] | None = getattr(encoder, "precision_of", None)
    theirs = precision_of(base_hash) if precision_of is not None and base_hash is not None else None
    ours = precision_of(encoder.hash) if precision_of is not None and encoder is not None else None
    if theirs is None or ours is None or theirs == ours:
        return None
    return (
        f"it was fitted on vectors of this encoder in {theirs}, and this process has them in {ours}: servers and workers must have the "
        f"same precision. Fit it again with {_PRECISIONS[ours]}, or give this process {_PRECISIONS[theirs]}"
    )


def anchors_of(examples: Sequence[Example]) -> list[Example]:
    """Return a sample, evenly spread, of at most 2,000 of the examples that say what a text is."""
    positive = [example for example in examples if example.label and example.polarity != "negative"]
    return positive[:: -(-len(positive) // _MOST_ANCHORS) or 1]


def save_anchors(folder: Path, vectors: FloatArray, labels: Sequence[str]) -> None:
    """Put anchors beside a version's head: what tells the memory of corrections how far labels reach.

    Args:
        folder: the version's.
        vectors: (n_anchors, dim) float32 of the base encoder.
        labels: one for each.
    """
    save_artefact(folder / ANCHORS, kind=_ANCHORS_KIND, arrays={"vectors": vectors}, settings={"labels": list(labels)})


def fingerprint_of(examples: Sequence[Example]) -> str:
    """Return the SHA-256 of what examples say, in order: equal only for the same training data."""
    digest = hashlib.sha256()
    for example in examples:
        parts = (example.task, example.text, example.label, example.other, example.polarity, example.weight)
        digest.update(repr((*parts, example.target)).encode())
    return digest.hexdigest()


def _load(version: ModelVersion, folder: Path, kind: type[Learner]) -> Fitted:
    anchors, labels = np.zeros((0, 0), dtype=np.float32), ()
    if (folder / ANCHORS).is_dir():
        arrays, settings = load_artefact(folder / ANCHORS, kind=_ANCHORS_KIND)
        anchors, labels = arrays["vectors"], tuple(settings["labels"])
    return Fitted(
        kind.load(folder / HEAD),
        f"{version.task}-{version.number}",
        anchors,
        labels,
        version.id,
        learned_until(version),
        f"{version.sha256} {version.artefact}" if (folder / ADAPTER).is_dir() else None,
    )


def learned_until(version: ModelVersion) -> datetime | None:
    """Return up to when a version has learned what was imported; None: it was fitted by the host, on all that there is."""
    if version.settings.get("origin") == _BY_HOST:
        return None
    told = version.settings.get("learned_until")
    return datetime.fromisoformat(told) if isinstance(told, str) else version.created_at


def _sample(examples: Sequence[Example], vectors: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """The anchors among examples whose vectors are known."""
    rows = {id(example): row for row, example in enumerate(examples)}
    chosen = anchors_of(examples)
    return vectors[[rows[id(example)] for example in chosen]], tuple(example.label or "" for example in chosen)


def _same(version: ModelVersion, *, fingerprint: str, base_hash: str, seed: int, made_of: Mapping[str, Any]) -> bool:
    return (version.data_fingerprint, version.base_hash, version.code_version, version.seed, version.settings) == (
        fingerprint,
        base_hash,
        __version__,
        seed,
        made_of,
    )

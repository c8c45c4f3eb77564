"""Take a model version out of a deployment: a folder or archive that can be carried elsewhere, checked and loaded there.

It holds the version's files as they are (`head/`, `anchors/`, `adapter/`), `version.json` with its lineage and evaluations, and
`artefact.json` with the SHA-256 of every other file. There, `rejoinder.models.storage.check_artefact(folder)` checks it, and the task's
learner loads it: `TextClassifier.load(folder / "head")`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from rejoinder.errors import ConflictError, InvalidInputError
from rejoinder.models.storage import check_artefact, seal
from rejoinder.store.models import list_evaluations, list_lineage

if TYPE_CHECKING:
    from rejoinder.learning.versions import Registry
    from rejoinder.store.database import Database
    from rejoinder.store.tables import ModelVersion

VERSION_FILE: Final = "version.json"
ARCHIVES: Final = (".tar.gz", ".tgz")


async def version_record(database: Database, version: ModelVersion) -> dict[str, Any]:
    """Return all that is known of a version, as JSON says it: the row, its evaluations, and the versions that it comes from."""
    evaluations = await list_evaluations(database, version.tenant_id, version.id)
    ancestors = await list_lineage(database, version.tenant_id, version.id)
    return {
        **version.model_dump(mode="json"),
        "evaluations": [one.model_dump(mode="json", exclude={"tenant_id", "model_version_id"}) for one in evaluations],
        "lineage": [one.model_dump(mode="json", include=_TOLD_OF_ANCESTORS) for one in ancestors],
    }


async def export_version(database: Database, registry: Registry, version: ModelVersion, target: Path) -> dict[str, Any]:
    """Write a version into a folder, or an archive where the name ends in `.tar.gz` or `.tgz`; return its manifest.

    The target appears at once and whole.

    Raises:
        ConflictError: there is something of this name already.
        InvalidInputError: it is to be an archive of another kind, or cannot be written.
        ModelIntegrityError: the version's files are damaged; nothing was written.
    """
    if target.suffix in (".zip", ".gz", ".bz2", ".xz", ".tar") and not target.name.endswith(ARCHIVES):
        raise InvalidInputError(f"{target}: name a folder, or an archive that ends in {' or '.join(ARCHIVES)}")
    files = await registry.files(version)
    record = await version_record(database, version)
    return await asyncio.to_thread(_write, files, record, target)


_TOLD_OF_ANCESTORS: Final = {"id", "task", "number", "state", "metrics", "created_at"}


def _write(files: Path, record: dict[str, Any], target: Path) -> dict[str, Any]:
    target = target.absolute()
    if target.exists():
        raise ConflictError(f"there is something at {target} already: name another place, or remove it")
    name = target.name
    for ending in ARCHIVES:
        name = name.removesuffix(ending)
    beside = target.parent / f".{name}.{uuid4().hex[:8]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = beside / name
        shutil.copytree(files, folder)
        told = {**record, "artefact": None}  # an address in the deployment that it leaves
        (folder / VERSION_FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
        seal(folder)
        manifest = check_artefact(folder)
        if target.name.endswith(ARCHIVES):
            packed = beside / target.name
            with tarfile.open(packed, "w:gz") as archive:
                archive.add(folder, name)
            packed.rename(target)
        else:
            folder.rename(target)
    except OSError as error:
        raise InvalidInputError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest

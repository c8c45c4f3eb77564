"""Where finished model versions are kept: a local folder, or any store that fsspec reaches (S3, GCS, memory).

A version is a folder of files and, written last, the manifest `artefact.json` with the SHA-256 of each. The record store keeps the
SHA-256 of the manifest, so that nothing can be changed, taken away or added unnoticed, and what was half written has no manifest.
Artefacts never change once they are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from rejoinder.errors import InvalidInputError, ModelError, ModelIntegrityError
from rejoinder.models.artefact import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ARTEFACT_MANIFEST: Final = "artefact.json"
DRAFTS: Final = ".drafts"
"""Folder below a local store for what is being written; nothing looks for versions in it."""

_FORMAT: Final = 1
_LIFETIME_S: Final = 7 * 86_400
_LOCAL: Final = ("file", "local")


@dataclass(frozen=True, slots=True)
class Stored:
    """An artefact that is in the store: its address (a path or URL, without credentials) and the SHA-256 of its manifest."""

    address: str
    sha256: str


class ArtefactStore:
    """Keeps model folders. All methods block: call them in a thread.

    Args:
        url: a folder, or a URL such as `s3://bucket/models`, whose protocol fsspec knows (`pip install s3fs` for S3).
        cache: local folder in which copies of remote artefacts are kept; a local store needs none, its files are used in place.
        options: passed on to fsspec's file system, such as `{"endpoint_url": ...}`.
    """

    def __init__(self, url: str | Path, *, cache: Path | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Nothing is opened before it is needed; see the class for arguments."""
        self._url = str(url)
        self._options = dict(options or {})
        protocol, separator, rest = self._url.partition("://")
        self._local = not separator or protocol in _LOCAL
        self._root = Path(rest if separator else self._url).absolute() if self._local else Path()
        if not self._local and cache is None:
            raise InvalidInputError(
                f"the artefact store {protocol}:// needs a local folder for copies of its artefacts"
            )
        self._cache = self._root if self._local or cache is None else cache

    def draft(self) -> Path:
        """Return the path of a local folder, to be made, that a version can be written into; `put` takes it from there."""
        drafts = self._cache / DRAFTS
        drafts.mkdir(parents=True, exist_ok=True)
        return drafts / uuid4().hex

    def put(self, folder: Path, name: str) -> Stored:
        """Take a finished local folder into the store; afterwards the folder is gone.

        In a local store the folder appears under its name at once and whole. Elsewhere files are sent one by one and the manifest last:
        without it an artefact counts as incomplete.

        Args:
            folder: what was written, with at least one file.
            name: where to, in parts such as "acme/intent/model_1"; there is nothing of this name yet.
        Raises:
            ModelIntegrityError: the folder is not there, or holds no file.
            ModelError: the store has this name already, or cannot be written to.
        """
        _check_name(name)
        data = _manifest_of(folder)
        if self._local:
            address = self._publish(folder, self._root / name, data)
        else:
            address = self._send(folder, name, data)
            shutil.rmtree(folder, ignore_errors=True)
        return Stored(address, hashlib.sha256(data).hexdigest())

    def fetch(self, address: str, sha256: str) -> Path:
        """Return the local folder of an artefact, every file of which was checked.

        Args:
            address: as `put` gave it.
            sha256: of its manifest, as `put` gave it.
        Raises:
            ModelIntegrityError: a file is missing, damaged or too much, or the artefact is incomplete; the message names it.
            ModelError: the store cannot be reached, and there is no whole copy here.
        """
        if _is_local(address):
            folder = Path(address)
            _check_folder(folder, sha256)
            return folder
        copy = self._cache / hashlib.sha256(f"{address} {sha256}".encode()).hexdigest()[:32]
        if copy.is_dir():
            try:
                _check_folder(copy, sha256)
            except ModelIntegrityError:  # of a copy: the artefact itself may be sound
                shutil.rmtree(copy, ignore_errors=True)
            else:
                os.utime(copy)  # in use: `sweep` leaves it
                return copy
        self._receive(address, sha256, copy)
        return copy

    def delete(self, address: str) -> None:
        """Remove an artefact, its manifest first; nothing happens where there is none.

        Raises:
            ModelError: the store cannot be reached.
        """
        if _is_local(address):
            folder = Path(address)
            with suppress(OSError):
                (folder / ARTEFACT_MANIFEST).unlink()
            shutil.rmtree(folder, ignore_errors=True)
            return

        def remove() -> None:
            fs, path = self._open(address)
            with suppress(FileNotFoundError):
                fs.rm_file(f"{path}/{ARTEFACT_MANIFEST}")
            with suppress(FileNotFoundError):
                fs.rm(path, recursive=True)

        _asked(address, remove)

    def sweep(self, *, older_than_s: float = _LIFETIME_S) -> int:
        """Remove drafts that killed processes left behind, and copies of remote artefacts that nobody asked for; return how many."""
        gone = 0
        with suppress(OSError):  # another process may sweep too
            for folder in [*self._cache.glob(f"{DRAFTS}/*"), *(() if self._local else self._cache.glob("[!.]*"))]:
                if time.time() - folder.stat().st_mtime > older_than_s:
                    shutil.rmtree(folder, ignore_errors=True)
                    gone += 1
        return gone

    def _publish(self, folder: Path, target: Path, manifest: bytes) -> str:
        """Put a folder into its place by one rename, with its manifest in it."""
        drafts = self._root / DRAFTS
        drafts.mkdir(parents=True, exist_ok=True)
        if folder.absolute().parent != drafts:  # it may be on another disk, from which nothing can be renamed
            staged = drafts / uuid4().hex
            shutil.copytree(folder, staged)
            shutil.rmtree(folder, ignore_errors=True)
            folder = staged
        write_durably(folder / ARTEFACT_MANIFEST, manifest)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if target.exists():
                raise FileExistsError("there is a version of this name already")
            folder.rename(target)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
        _sync_folder(target.parent)
        return str(target)

    def _send(self, folder: Path, name: str, manifest: bytes) -> str:
        address = f"{self._url.rstrip('/')}/{name}"

        def send() -> str:
            fs, path = self._open(address)
            if fs.exists(f"{path}/{ARTEFACT_MANIFEST}"):
                raise ModelError(f"{address} cannot be written: there is a version of this name already")
            try:
                for file in json.loads(manifest)["files"]:
                    fs.makedirs(f"{path}/{file}".rpartition("/")[0], exist_ok=True)
                    fs.put_file(str(folder / file), f"{path}/{file}")
                fs.pipe_file(f"{path}/{ARTEFACT_MANIFEST}", manifest)
            except BaseException:
                with suppress(Exception):
                    fs.rm(path, recursive=True)
                raise
            return str(fs.unstrip_protocol(path))

        return str(_asked(address, send))

    def _receive(self, address: str, sha256: str, copy: Path) -> None:
        """Copy a remote artefact beside, check it, and put it in its place by one rename."""
        beside = self.draft()

        def receive() -> None:
            fs, path = self._open(address)
            try:
                manifest = fs.cat_file(f"{path}/{ARTEFACT_MANIFEST}")
            except FileNotFoundError as error:
                raise _incomplete(address) from error
            for file in _files_of(address, manifest, sha256):
                target = beside / file
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    fs.get_file(f"{path}/{file}", str(target))
                except FileNotFoundError as error:
                    raise ModelIntegrityError(f"{address}: {file} is missing; {_ADVICE}") from error
            write_durably(beside / ARTEFACT_MANIFEST, manifest)

        try:
            _asked(address, receive)
            _check_folder(beside, sha256, shown=address)
            with suppress(OSError):  # another process was quicker: its copy is as good
                beside.rename(copy)
            _check_folder(copy, sha256, shown=address)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _open(self, address: str) -> tuple[Any, str]:
        """The file system of an address, and the path in it."""
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(address, **self._options)
        return fs, str(path).rstrip("/")


def check_artefact(folder: Path) -> dict[str, Any]:
    """Check a folder against the manifest that lies in it, as one that was exported and carried elsewhere; return the manifest.

    Raises:
        ModelIntegrityError: a file is missing, damaged or too much; the message names it.
    """
    data = _read(folder, ARTEFACT_MANIFEST, str(folder))
    _check_folder(folder, hashlib.sha256(data).hexdigest())
    manifest: dict[str, Any] = json.loads(data)
    return manifest


def seal(folder: Path) -> str:
    """Write the manifest of all files in a folder, durably and last; return its SHA-256.

    Raises:
        ModelIntegrityError: the folder is not there, or holds no file.
    """
    data = _manifest_of(folder)
    write_durably(folder / ARTEFACT_MANIFEST, data)
    return hashlib.sha256(data).hexdigest()


_ADVICE: Final = "restore this model version from a copy or fit it again"


def _manifest_of(folder: Path) -> bytes:
    """The manifest's bytes for the files of a folder, which are made durable on the way."""
    files: dict[str, dict[str, Any]] = {}
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path != folder / ARTEFACT_MANIFEST:
                data = path.read_bytes()
                _sync_file(path)
                name = path.relative_to(folder).as_posix()
                files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    except OSError as error:
        raise ModelIntegrityError(f"{folder}: {error}") from error
    if not files:
        raise ModelIntegrityError(f"{folder}: there are no files to keep as a model version")
    return json.dumps({"format": _FORMAT, "files": files}, ensure_ascii=False, indent=1).encode()


def _files_of(shown: str, manifest: bytes, sha256: str) -> dict[str, str]:
    """The SHA-256 of each file that a manifest names, once it is known to be the right manifest."""
    found = hashlib.sha256(manifest).hexdigest()
    if found != sha256:
        raise ModelIntegrityError(
            f"{shown}/{ARTEFACT_MANIFEST} is damaged: SHA-256 expected {sha256}, found {found}; {_ADVICE}"
        )
    try:
        told = json.loads(manifest)
        if told["format"] != _FORMAT:
            raise ModelIntegrityError(
                f"{shown}/{ARTEFACT_MANIFEST} is of format {told['format']!r}, expected {_FORMAT}: use a newer Rejoinder"
            )
        files = {str(name): str(one["sha256"]) for name, one in told["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelIntegrityError(f"{shown}/{ARTEFACT_MANIFEST} cannot be understood: {error!r}; {_ADVICE}") from error
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ModelIntegrityError(f"{shown}/{ARTEFACT_MANIFEST} names a file outside of its folder: {name!r}")
    return files


def _check_folder(folder: Path, sha256: str, *, shown: str = "") -> None:
    shown = shown or str(folder)
    files = _files_of(shown, _read(folder, ARTEFACT_MANIFEST, shown), sha256)
    for name, expected in files.items():
        found = hashlib.sha256(_read(folder, name, shown)).hexdigest()
        if found != expected:
            raise ModelIntegrityError(
                f"{shown}/{name} is damaged: SHA-256 expected {expected}, found {found}; {_ADVICE}"
            )
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    strange = sorted(there - files.keys() - {ARTEFACT_MANIFEST})
    if strange:
        raise ModelIntegrityError(f"{shown}/{strange[0]} does not belong to this model version: remove it")


def _read(folder: Path, name: str, shown: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        if name == ARTEFACT_MANIFEST:
            raise _incomplete(shown) from error
        raise ModelIntegrityError(f"{shown}/{name} is missing; {_ADVICE}") from error
    except OSError as error:
        raise ModelIntegrityError(f"{shown}/{name} cannot be read: {error.strerror or error}") from error


def _incomplete(shown: str) -> ModelIntegrityError:
    return ModelIntegrityError(f"{shown} is incomplete or gone: there is no {ARTEFACT_MANIFEST} in it; {_ADVICE}")


def _asked(address: str, work: Callable[[], Any]) -> Any:
    """Do something with a remote store; whatever its driver raises becomes an error of ours."""
    protocol = address.partition("://")[0]
    try:
        return work()
    except ModelError:
        raise
    except ImportError as error:
        raise ModelError(f"{address}: the driver for {protocol}:// is not installed: {error}") from error
    except Exception as error:  # each driver has errors of its own
        raise ModelError(f"{address} cannot be reached: {type(error).__name__}: {error}") from error


def _is_local(address: str) -> bool:
    return "://" not in address


def _check_name(name: str) -> None:
    parts = name.split("/")
    if not all(parts) or any(part.startswith(".") or "\\" in part or "\x00" in part for part in parts):
        raise InvalidInputError(f"{name!r} cannot name an artefact: no part may be empty or begin with a dot")


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

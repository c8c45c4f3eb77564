"""Where model versions are kept: whole or not at all, on a disk and behind fsspec, and refused when anything was changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from rejoinder.errors import InvalidInputError, ModelError, ModelIntegrityError
from rejoinder.models.storage import ARTEFACT_MANIFEST, DRAFTS, ArtefactStore, Stored, check_artefact, seal

NAME = "acme/intent/model_1"
FILES = {"head/model.json": b"{}", "head/weights.bin": b"\x00\x01\x02", "anchors/model.json": b"[]"}


@pytest.fixture(params=["folder", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of each kind."""
    if request.param == "memory":
        bucket = f"memory://{uuid4().hex}/models"
        yield bucket
        fsspec.filesystem("memory").store.clear()
    else:
        yield f"file://{tmp_path / 'store'}" if request.param == "file" else str(tmp_path / "store")


@pytest.fixture
def store(url: str, tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(url, cache=tmp_path / "cache")


def drafted(store: ArtefactStore) -> Path:
    folder = store.draft()
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """What a folder holds besides its manifest."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del files[ARTEFACT_MANIFEST]
    return files


def damage(stored: Stored, name: str, change: str) -> None:
    """Do something to a file in the store."""
    fs, path = fsspec.core.url_to_fs(stored.address)
    file = f"{path}/{name}"
    if change == "removed":
        fs.rm_file(file)
    elif change == "flipped":
        data = bytearray(fs.cat_file(file))
        data[-1] ^= 1
        fs.pipe_file(file, bytes(data))
    else:
        fs.pipe_file(file, fs.cat_file(file)[:-1])


def test_what_is_put_can_be_fetched(store: ArtefactStore) -> None:
    draft = drafted(store)
    stored = store.put(draft, NAME)

    assert stored.address.endswith(NAME)
    assert content(store.fetch(stored.address, stored.sha256)) == FILES
    assert not draft.exists()


def test_another_process_fetches_it_too(store: ArtefactStore, url: str, tmp_path: Path) -> None:
    stored = store.put(drafted(store), NAME)
    other = ArtefactStore(url, cache=tmp_path / "other cache")

    assert content(other.fetch(stored.address, stored.sha256)) == FILES


def test_a_folder_from_elsewhere_can_be_put(store: ArtefactStore, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "model"
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"1")
    stored = store.put(folder, NAME)

    assert content(store.fetch(stored.address, stored.sha256)) == {"weights.bin": b"1"}
    assert not folder.exists()


@pytest.mark.parametrize("change", ["flipped", "cut", "removed"])
@pytest.mark.parametrize("name", [ARTEFACT_MANIFEST, "head/weights.bin"])
def test_what_is_not_what_was_put_is_refused_by_name(store: ArtefactStore, name: str, change: str) -> None:
    stored = store.put(drafted(store), NAME)
    damage(stored, name, change)

    with pytest.raises(ModelIntegrityError, match=name if change != "removed" else f"{name}|incomplete") as caught:
        store.fetch(stored.address, stored.sha256)
    assert stored.address in str(caught.value)


def test_the_manifest_of_another_version_is_refused(store: ArtefactStore) -> None:
    stored = store.put(drafted(store), NAME)

    with pytest.raises(ModelIntegrityError, match=r"artefact\.json is damaged"):
        store.fetch(stored.address, "0" * 64)


def test_a_file_too_much_on_the_disk_is_refused(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    stored = store.put(drafted(store), NAME)
    (Path(stored.address) / "head" / "more.py").write_text("x")

    with pytest.raises(ModelIntegrityError, match=r"head/more\.py does not belong"):
        store.fetch(stored.address, stored.sha256)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()], ids=["missing", "empty"])
def test_a_folder_without_files_is_no_version(store: ArtefactStore, make: object) -> None:
    draft = store.draft()
    make(draft)  # type: ignore[operator]

    with pytest.raises(ModelIntegrityError, match="there are no files"):
        store.put(draft, NAME)


def test_a_name_is_taken_once(store: ArtefactStore) -> None:
    stored = store.put(drafted(store), NAME)

    with pytest.raises(ModelError, match="already"):
        store.put(drafted(store), NAME)
    assert content(store.fetch(stored.address, stored.sha256)) == FILES


@pytest.mark.parametrize("name", ["", "a//b", "../b", "a/../b", "/a", ".drafts/x", "a/b\\c"])
def test_a_name_never_leads_out_of_the_store(store: ArtefactStore, name: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot name an artefact"):
        store.put(drafted(store), name)


def test_a_deleted_artefact_is_incomplete(store: ArtefactStore) -> None:
    stored = store.put(drafted(store), NAME)
    store.delete(stored.address)
    store.delete(stored.address)

    with pytest.raises(ModelIntegrityError, match="incomplete or gone"):
        store.fetch(stored.address, stored.sha256)


# --- elsewhere -----------------------------------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[ArtefactStore]:
    yield ArtefactStore("memory://bucket/models", cache=tmp_path / "cache")
    fsspec.filesystem("memory").store.clear()


def test_a_copy_serves_while_the_store_is_away(remote: ArtefactStore) -> None:
    stored = remote.put(drafted(remote), NAME)
    remote.fetch(stored.address, stored.sha256)
    fsspec.filesystem("memory").store.clear()

    assert content(remote.fetch(stored.address, stored.sha256)) == FILES


def test_a_damaged_copy_is_fetched_again(remote: ArtefactStore) -> None:
    stored = remote.put(drafted(remote), NAME)
    copy = remote.fetch(stored.address, stored.sha256)
    (copy / "head/weights.bin").write_bytes(b"?")

    assert content(remote.fetch(stored.address, stored.sha256)) == FILES


def test_what_was_half_sent_is_taken_back(remote: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    put_file = type(memory).put_file

    def breaks(self: object, source: str, target: str, **options: object) -> None:
        if target.endswith("weights.bin"):
            raise OSError("connection lost")
        put_file(self, source, target, **options)

    monkeypatch.setattr(type(memory), "put_file", breaks)
    with pytest.raises(ModelError, match="cannot be reached: OSError: connection lost"):
        remote.put(drafted(remote), NAME)
    assert memory.find("/bucket") == []


def test_a_protocol_without_its_driver_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no-such-protocol"):
        ArtefactStore("no-such-protocol://x", cache=tmp_path).fetch("no-such-protocol://x/y", "0")


def test_a_remote_store_needs_a_folder_for_copies() -> None:
    with pytest.raises(InvalidInputError, match="s3:// needs a local folder"):
        ArtefactStore("s3://bucket")


# --- killed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["before the manifest", "before the rename"])
def test_a_process_killed_while_it_writes_leaves_nothing_that_looks_like_a_version(tmp_path: Path, at: str) -> None:
    target = "write_durably" if at == "before the manifest" else "Path.rename"
    script = f"""
        import os, signal
        from pathlib import Path
        from rejoinder.models import storage
        store = storage.ArtefactStore({str(tmp_path)!r})
        draft = store.draft()
        draft.mkdir()
        (draft / "weights.bin").write_bytes(b"1")
        storage.{target} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        store.put(draft, {NAME!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False)

    assert done.returncode == -9, done.stderr.decode()
    assert not (tmp_path / NAME).exists()
    assert [path.parent.parent.name for path in tmp_path.rglob("weights.bin")] == [DRAFTS]


def test_what_killed_processes_left_is_swept_after_a_while(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    left, fresh = drafted(store), drafted(store)
    stored = store.put(drafted(store), NAME)
    os.utime(left, (0, time.time() - 1000))

    assert store.sweep(older_than_s=500) == 1
    assert (left.exists(), fresh.exists()) == (False, True)
    assert content(store.fetch(stored.address, stored.sha256)) == FILES


# --- carried elsewhere ---------------------------------------------------------------------------------------------


def test_a_sealed_folder_can_be_checked_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"1")
    seal(tmp_path)

    assert set(check_artefact(tmp_path)["files"]) == {"a.bin"}
    (tmp_path / "a.bin").write_bytes(b"2")
    with pytest.raises(ModelIntegrityError, match=r"a\.bin is damaged"):
        check_artefact(tmp_path)


@pytest.mark.parametrize(
    "manifest", ['{"format": 2, "files": {}}', '{"format": 1}', "{", '{"format":1,"files":{"../x":{"sha256":"0"}}}']
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / ARTEFACT_MANIFEST).write_text(manifest)

    with pytest.raises(ModelIntegrityError, match=r"artefact\.json"):
        check_artefact(tmp_path)


def test_the_manifest_names_every_file_with_its_size(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    stored = store.put(drafted(store), NAME)
    manifest = json.loads((Path(stored.address) / ARTEFACT_MANIFEST).read_bytes())

    assert {name: one["bytes"] for name, one in manifest["files"].items()} == {n: len(d) for n, d in FILES.items()}

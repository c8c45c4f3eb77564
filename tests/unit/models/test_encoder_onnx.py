"""ONNX encoders: converted once, kept, checked, made again when damaged; int8 close to float32; rows with adapters run on torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import ModelError
from rejoinder.models.encoding import onnx_cache
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder.models.encoding.onnx_cache import ConversionError, default_cache_dir
from rejoinder.models.encoding.onnx_export import convert
from rejoinder.models.encoding.pooling import Pooling
from rejoinder.models.encoding.source import find_source

from tests.unit.models.tiny_models import write_model

TEXTS = ["where is my card?", "it has not come", "", "how are you today? the weather is fine, thank you", "you " * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("onnx") / "model")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A cache that has the model in int8, made by a process of its own for two threads that ask at once, and in float32."""
    cache = tmp_path_factory.mktemp("cache")

    def load(backend: str) -> Encoder:
        return Encoder(str(folder), backend=backend, cache_dir=cache)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, ["onnx-int8", "onnx-int8"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_cache.subprocess, "run", _convert_here)
        load("onnx")
    return cache


def _convert_here(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Do what the process would, without the seconds that its start takes."""
    asked = json.loads(command[-1])
    convert(
        find_source(asked["folder"]),
        Pooling(asked["mode"], asked["normalised"]),
        Path(asked["target"]),
        precision=asked["precision"],
    )
    return subprocess.CompletedProcess(command, 0, "", "")


def test_float32_has_the_vectors_and_the_key_of_torch(folder: Path, cache: Path) -> None:
    encoder, torch_encoder = Encoder(str(folder), backend="onnx", cache_dir=cache), Encoder(str(folder))
    assert (encoder.backend, encoder.precision) == ("onnx cpu float32", "float32")
    assert encoder.hash == torch_encoder.hash
    np.testing.assert_allclose(encoder.encode(TEXTS), torch_encoder.encode(TEXTS), atol=1e-5)
    pairs = [("where is my card?", "it has not come"), ("thank you", "fine " * 60)]
    for found, expected in zip(encoder.encode_tokens(pairs), torch_encoder.encode_tokens(pairs), strict=True):
        np.testing.assert_allclose(found.states, expected.states, atol=1e-4)
        np.testing.assert_allclose(found.vector, expected.vector, atol=1e-5)


def test_int8_is_close_and_has_a_key_of_its_own(folder: Path, cache: Path) -> None:
    encoder, torch_encoder = Encoder(str(folder), backend="onnx-int8", cache_dir=cache), Encoder(str(folder))
    assert (encoder.backend, encoder.precision) == ("onnx cpu int8", "int8")
    assert encoder.hash != torch_encoder.hash
    found, expected = encoder.encode(TEXTS), torch_encoder.encode(TEXTS)
    assert (found * expected).sum(axis=1).min() > 0.99
    assert np.abs(found - expected).max() > 1e-5


def test_a_model_is_converted_once(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list((cache / "onnx").glob("*/model.onnx"))) == 2
    assert not list((cache / "onnx").glob(".making-*"))
    monkeypatch.setattr(onnx_cache, "_make", lambda *_, **__: pytest.fail("it was converted again"))
    Encoder(str(folder), backend="onnx", cache_dir=cache)


def test_a_damaged_file_is_made_again(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_cache.subprocess, "run", _convert_here)
    (file,) = (cache / "onnx").glob("*-float32-*/model.onnx")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    encoder = Encoder(str(folder), backend="onnx", cache_dir=cache)
    assert file.read_bytes() == whole
    np.testing.assert_allclose(encoder.encode(TEXTS), Encoder(str(folder)).encode(TEXTS), atol=1e-5)


def test_the_server_needs_no_torch(folder: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rejoinder.models.encoding.encoder import Encoder; "
        f"encoder = Encoder({str(folder)!r}, backend='onnx', cache_dir=Path({str(cache)!r})); "
        "print(encoder.encode(['my card']).shape, [name for name in ('torch', 'transformers', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("(1, 32) []", "")


def test_a_folder_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversionError, match=r"cannot be kept in .*set encoder\.cache_dir"):
        Encoder(str(folder), backend="onnx", cache_dir=tmp_path / "file")


def test_what_went_wrong_in_a_conversion_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "model")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConversionError, match=r"could not be converted to ONNX \(float32\): exit code 1"):
        Encoder(str(folder), backend="onnx", cache_dir=tmp_path)
    assert not list((tmp_path / "onnx").glob("*/*"))


def test_auto_takes_torch_where_conversion_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_model(tmp_path / "model")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    encoder = load_encoder(str(folder), device="cpu", cache_dir=tmp_path)
    assert encoder.backend == "torch cpu float32"
    assert "could not be converted" in encoder.reason
    assert "could not be converted" in caplog.text
    with pytest.raises(ConversionError):
        load_encoder(str(folder), backend="onnx", cache_dir=tmp_path)


class _Recording:
    """A backend that gives ones, and remembers the adapters it was given."""

    name, precision = "recording", "float32"

    def __init__(self) -> None:
        self.given: list[Any] = []

    def vectors(self, batch: Any, adapters: Sequence[Any] | None = None) -> NDArray[np.float32]:
        self.given += adapters or []
        return np.full((len(batch), 32), 32**-0.5, dtype=np.float32)

    def both(
        self, batch: Any, adapters: Sequence[Any] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.vectors(batch, adapters), np.ones((*batch.ids.shape, 32), dtype=np.float32)


def test_rows_with_an_adapter_run_on_torch_and_the_others_do_not(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, other = Encoder(str(folder), backend="onnx", cache_dir=cache), _Recording()
    opened: list[str] = []
    monkeypatch.setattr(encoder, "_open_torch", lambda device: (opened.append(device), other)[1])
    plain = encoder.encode(TEXTS[:3])
    assert opened == []
    adapter: Any = object()
    mixed = encoder.encode(TEXTS[:3], adapters=[None, adapter, None])
    np.testing.assert_allclose(mixed[[0, 2]], plain[[0, 2]], atol=1e-5)
    np.testing.assert_allclose(mixed[1], 32**-0.5)
    states = encoder.encode_tokens(TEXTS[:3], adapters=[adapter, None, None])
    np.testing.assert_array_equal(states[0].states, 1)
    np.testing.assert_allclose(states[1].vector, plain[1], atol=1e-5)
    assert (opened, other.given) == (["cpu"], [adapter, adapter])
    with pytest.raises(ModelError, match="cannot run adapters"):
        encoder._backend.vectors(encoder._tokeniser.batch(encoder._tokeniser.encodings(["a"])), [adapter])


def test_the_cache_is_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/rejoinder")


def test_onnx_runtime_reports_to_nobody(tmp_path: Path) -> None:
    code = "from rejoinder.models.encoding.onnx_runtime import import_onnxruntime; import_onnxruntime()"
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", code], check=True, env={**kept, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []

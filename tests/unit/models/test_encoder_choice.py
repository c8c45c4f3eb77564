"""Which backend is chosen and why, where a model comes from, and what `rejoinder models doctor` says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from httpx import Request, Response
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from rejoinder.cli import app
from rejoinder.errors import ModelError
from rejoinder.models.encoding import choice
from rejoinder.models.encoding.choice import choose_backend
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.encoding.source import find_source
from typer.testing import CliRunner

from tests.unit.models.tiny_models import write_model

HERE = {"torch": "2.9.0", "onnxruntime": "1.23.0", "onnx": "1.19.0", "transformers": "5.0.0"}
NO_GPU = "this machine has no NVIDIA GPU"


def _machine(monkeypatch: pytest.MonkeyPatch, *, without: tuple[str, ...] = (), cuda: bool = False) -> None:
    monkeypatch.setattr(choice, "_version", lambda package: None if package in without else HERE[package])
    monkeypatch.setattr(choice, "_why_no_cuda", lambda: None if cuda else NO_GPU)


@pytest.mark.parametrize(
    ("asked", "machine", "expected"),
    [
        ({}, {"cuda": True}, ("torch", "cuda", "torch sees a CUDA device")),
        ({}, {}, ("onnx", "cpu", f"{NO_GPU}; ONNX Runtime is faster")),
        ({}, {"without": ("onnx",)}, ("torch", "cpu", f"{NO_GPU}, and onnx is not installed")),
        ({"device": "cpu"}, {"cuda": True}, ("onnx", "cpu", "encoder.device asks for the CPU")),
        ({"device": "cuda:1"}, {"cuda": True}, ("torch", "cuda:1", "encoder.device asks for it")),
        ({"backend": "torch"}, {}, ("torch", "cpu", f"encoder.backend asks for torch, and {NO_GPU}")),
        ({"backend": "torch"}, {"cuda": True}, ("torch", "cuda", "torch sees a CUDA device")),
        ({"backend": "onnx-int8"}, {"cuda": True}, ("onnx-int8", "cpu", "encoder.backend asks for it")),
    ],
)
def test_the_choice_and_its_reason(
    asked: dict[str, str], machine: dict[str, Any], expected: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, **machine)
    found = choose_backend(**asked)
    assert (found.backend, found.device) == expected[:2]
    assert expected[2] in found.reason
    assert found.possible["torch cuda"] == (None if machine.get("cuda") else NO_GPU)


@pytest.mark.parametrize(
    ("asked", "machine", "message"),
    [
        ({"backend": "onnxx"}, {}, r"no encoder backend 'onnxx'\. Did you mean 'onnx'"),
        ({"backend": "onnx", "device": "cuda"}, {"cuda": True}, "runs on the CPU only"),
        ({"backend": "onnx"}, {"without": ("onnx", "onnxruntime")}, "onnxruntime and onnx are not installed"),
        ({"device": "cuda"}, {}, f"cannot run on torch cuda: {NO_GPU}"),
        ({}, {"without": ("torch", "onnx")}, r"torch is not installed \(pip install"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    asked: dict[str, str], machine: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, **machine)
    with pytest.raises(ModelError, match=message):
        choose_backend(**asked)


_RESPONSE = Response(404, request=Request("GET", "https://hub.example/x"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RepositoryNotFoundError("404", response=_RESPONSE), "the hub has no such model or does not show it"),
        (RevisionNotFoundError("404", response=_RESPONSE), "has no revision 'v9'"),
        (
            LocalEntryNotFoundError("offline"),
            r"at revision 'v9'.*not in the local cache, and the hub cannot be reached",
        ),
        (OSError("disk full"), r"the hub did not give it \(OSError: disk full\)"),
    ],
    ids=["no model", "no revision", "no network", "other"],
)
def test_what_the_hub_says_is_told_plainly(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert (name, revision) == ("an/encoder", "v9")
        assert "model.safetensors" in allow_patterns
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelError, match=message):
        find_source("an/encoder", revision="v9")


def test_a_model_of_the_hub_is_loaded_from_where_it_was_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    source = find_source("an/encoder", revision="v1")
    assert (source.name, source.folder) == ("an/encoder", folder)


def test_a_name_that_no_hub_allows_is_refused() -> None:
    with pytest.raises(ModelError, match="neither a folder here nor a name that a hub allows"):
        find_source("/no/such/folder")


def test_a_folder_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no revisions \(got 'v1'\).*encoder\.sha256"):
        load_encoder(str(tmp_path), revision="v1")


def test_doctor_says_what_would_be_used_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REJOINDER_ENCODER__NAME", str(folder))
    monkeypatch.setenv("REJOINDER_ENCODER__BACKEND", "torch")
    monkeypatch.setenv("REJOINDER_ENCODER__DEVICE", "cpu")
    done = CliRunner().invoke(app, ["models", "doctor", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["backend"], found["pooling"], found["max_tokens"]) == ("torch cpu float32", "mean", 40)
    assert found["weights"] == str(folder / "model.safetensors")
    assert found["sha256"] == find_source(str(folder)).weights_sha256
    assert "encoder.backend asks for torch" in found["reason"]
    assert found["text_ms"] > 0
    assert "torch cpu possible" in CliRunner().invoke(app, ["models", "doctor"]).stdout


def test_doctor_fails_in_one_line_when_nothing_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REJOINDER_ENCODER__NAME", str(tmp_path))
    done = CliRunner().invoke(app, ["models", "doctor"])
    assert done.exit_code == 1
    assert "no weights at" in done.stderr

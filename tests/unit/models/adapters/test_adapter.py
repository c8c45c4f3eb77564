"""The adapter's value and artefact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.models.adapters.adapter import Adapter, load_adapter, make_adapter, save_adapter
from rejoinder.models.artefact import MANIFEST, save_artefact


def made(**changed: Any) -> Adapter:
    values: dict[str, Any] = {
        "method": "lora",
        "base_hash": "0123456789abcdef",
        "arrays": {"b": np.ones((2, 3)), "a": np.zeros(2, dtype=np.float32)},
        "settings": {"r": 2},
    }
    return make_adapter(**{**values, **changed})


def test_an_adapter_comes_back_as_it_was_saved(adapter_folder: Path) -> None:
    adapter = made()
    save_adapter(adapter_folder, adapter)
    found = load_adapter(adapter_folder)
    assert found == adapter
    assert (found.method, found.base_hash, found.settings) == (adapter.method, adapter.base_hash, adapter.settings)
    assert list(found.arrays) == ["a", "b"]
    assert all(array.dtype == np.float32 for array in found.arrays.values())
    assert found.nbytes == 4 * 8


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "full"},
        {"base_hash": "f" * 16},
        {"settings": {"r": 3}},
        {"arrays": {"b": np.ones((3, 2)), "a": np.zeros(2)}},
        {"arrays": {"c": np.ones((2, 3)), "a": np.zeros(2)}},
        {"arrays": {"b": np.ones((2, 3)), "a": np.full(2, 1e-6)}},
    ],
    ids=["method", "base", "settings", "shape", "name", "value"],
)
def test_whatever_differs_gives_another_id(changed: dict[str, Any]) -> None:
    assert made(**changed).id != made().id
    assert made(**changed) != made()
    assert len({made(), made(), made(**changed)}) == 2


def test_arrays_cannot_be_changed_and_are_the_adapters_own() -> None:
    given = np.ones(3, dtype=np.float32)
    adapter = made(arrays={"a": given})
    given[0] = 5
    assert adapter.arrays["a"][0] == 1
    with pytest.raises(ValueError, match="read-only"):
        adapter.arrays["a"][0] = 7  # type: ignore[index]  # that is the point


def test_another_base_is_refused_with_both_hashes() -> None:
    adapter = made()
    adapter.check_base("0123456789abcdef")
    with pytest.raises(ModelError, match="trained on the encoder weights 0123456789abcdef and cannot be used on ffff"):
        adapter.check_base("ffff")


def test_a_damaged_adapter_is_refused_by_name(adapter_folder: Path) -> None:
    save_adapter(adapter_folder, made())
    file = next(adapter_folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelIntegrityError, match=file.name):
        load_adapter(adapter_folder)


def test_a_manifest_with_anothers_id_is_refused(adapter_folder: Path) -> None:
    adapter = made()
    settings = {"id": "0" * 16, "method": "lora", "base_hash": adapter.base_hash, "settings": {"r": 2}}
    save_artefact(adapter_folder, kind="adapter/1", arrays=adapter.arrays, settings=settings)
    assert json.loads((adapter_folder / MANIFEST).read_text())["kind"] == "adapter/1"
    with pytest.raises(ModelIntegrityError, match=f"holds adapter {adapter.id}, but its manifest says 0000"):
        load_adapter(adapter_folder)

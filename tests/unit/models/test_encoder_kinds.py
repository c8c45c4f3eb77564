"""Encoders of any kind load from a folder, give the same vectors in torch and in ONNX, and tell what is wrong with a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.encoding.onnx_export import convert
from rejoinder.models.encoding.pooling import Pooling
from rejoinder.models.encoding.source import find_source
from rejoinder.models.encoding.tokens import Tokeniser

from tests.unit.models.tiny_models import KINDS, write_model

TEXTS = ["where is my card?", "it has not come", "", "how are you today? the weather is fine, thank you", "you " * 100]


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_of_any_kind_loads_and_is_that_of_transformers(kind: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", kind)
    encoder = Encoder(str(folder))
    assert encoder.dim == 32
    assert encoder.max_tokens == (38 if kind in ("roberta", "xlm-roberta", "mpnet") else 40)
    tokens = Tokeniser(find_source(str(folder)))
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for text, vector in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        ids = torch.tensor([tokens.encodings([text])[0].ids])
        with torch.inference_mode():
            expected = model(input_ids=ids).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_gives_the_vectors_of_torch(kind: str, tmp_path: Path) -> None:
    source = find_source(str(write_model(tmp_path / "model", kind)))
    convert(source, Pooling(), tmp_path / "model.onnx", precision="float32")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    tokeniser = Tokeniser(source)
    batch = tokeniser.batch(tokeniser.encodings(TEXTS))
    given = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    wanted = {one.name for one in session.get_inputs()}
    (found,) = session.run(["vectors"], {name: array for name, array in given.items() if name in wanted})
    np.testing.assert_allclose(found, Encoder(str(source.folder)).encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("mode", ["cls", "max", "mean_sqrt_len", "lasttoken"])
def test_onnx_pools_as_the_model_says(mode: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", pooling={"pooling_mode": mode})
    convert(find_source(str(folder)), Pooling(mode), tmp_path / "model.onnx", precision="float32")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    encoder = Encoder(str(folder))
    tokeniser = Tokeniser(find_source(str(folder)))
    batch = tokeniser.batch(tokeniser.encodings(TEXTS))
    (found,) = session.run(
        ["vectors"], {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    )
    np.testing.assert_allclose(found, encoder.encode(TEXTS), atol=1e-5)
    assert encoder.hash != Encoder(str(write_model(tmp_path / "mean"))).hash


def test_states_of_a_pair_say_which_text_and_where(tmp_path: Path) -> None:
    encoder = Encoder(str(write_model(tmp_path / "model")))
    alone, pair = encoder.encode_tokens(["Where is my card?", ("my card", "it has not come")])
    np.testing.assert_allclose(alone.vector, encoder.encode(["Where is my card?"])[0], atol=1e-6)
    assert alone.states.shape == (7, 32)
    assert alone.sequence.tolist() == [-1, 0, 0, 0, 0, 0, -1]
    assert ["Where is my card?"[start:end] for start, end in alone.offsets] == [
        "",
        "Where",
        "is",
        "my",
        "card",
        "?",
        "",
    ]
    assert pair.sequence.tolist() == [-1, 0, 0, -1, 1, 1, 1, 1, -1]
    second = [tuple(place) for place, which in zip(pair.offsets.tolist(), pair.sequence, strict=True) if which == 1]
    assert ["it has not come"[start:end] for start, end in second] == ["it", "has", "not", "come"]


def test_a_long_pair_keeps_the_shorter_text_whole(tmp_path: Path) -> None:
    encoder = Encoder(str(write_model(tmp_path / "model")))
    (pair,) = encoder.encode_tokens([("where is my card?", "you " * 100)])
    assert len(pair.states) == encoder.max_tokens
    assert (pair.sequence == 0).sum() == 5


def test_many_texts_are_tokenised_as_few_are(tmp_path: Path) -> None:
    encoder = Encoder(str(write_model(tmp_path / "model")))
    many = [" ".join(["card"] * (row % 30)) for row in range(150)]
    alone = np.concatenate([encoder.encode([text]) for text in many])
    np.testing.assert_allclose(encoder.encode(many), alone, atol=1e-5)


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "distilbert")
    (write_model(tmp_path / "other", "roberta") / "model.safetensors").rename(tmp_path / "model" / "model.safetensors")
    with pytest.raises(ModelIntegrityError, match=r"model\.safetensors lacks \d+ weights.*do not belong together"):
        Encoder(str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, "kind 'gpt2', which is no encoder of texts"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "kind 'bart', which is no encoder of texts"),
        ({"model_type": "bert", "is_decoder": True}, "kind 'bert', which is no encoder of texts"),
        ({"model_type": "bertt"}, "kind 'bertt', which the installed transformers does not know"),
    ],
)
def test_a_wrong_architecture_is_refused(config: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        Encoder(str(folder))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(file: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / file).unlink()
    with pytest.raises(ModelIntegrityError, match=rf"{file}.*must hold model\.safetensors, config\.json and tokenizer"):
        Encoder(str(folder))

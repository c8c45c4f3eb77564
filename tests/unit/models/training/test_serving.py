"""The serving encoder, given an adapter, says what the trained model said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rejoinder.models.adapters.adapter import make_adapter
from rejoinder.models.adapters.method import METHODS, find_method
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.training.base import Base
from rejoinder.models.training.features import Feature, Row, collate

TEXTS = ("the firm rose", "sales fell", "who sank a good profit in loss of the firm")


def perturb(model: torch.nn.Module) -> None:
    """Move every trained weight, as training would."""
    torch.manual_seed(3)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.2 * torch.randn_like(weight)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_vectors_and_states_are_those_of_the_trained_model(method: str, tiny: Base, tiny_folder: Path) -> None:
    found = find_method(method)
    with torch.random.fork_rng():
        attachment = found.attach(tiny.model(), found.settings(), total_steps=3)
        perturb(attachment.model)
    attachment.model.eval()
    arrays, settings = attachment.extract()
    adapter = make_adapter(method=found.adapter_method, base_hash=tiny.hash, arrays=arrays, settings=settings)
    encoder = Encoder(str(tiny_folder), threads=1)

    encodings = tiny.tokeniser.encodings([*TEXTS, ("who rose", "the firm rose")])
    features = [Feature(rows=(Row(one.ids, one.type_ids),), target=0, example=i) for i, one in enumerate(encodings)]
    inputs = collate(features, pad=tiny.pad, device=torch.device("cpu"))
    with torch.inference_mode():
        states = attachment.states(inputs.ids, inputs.mask, inputs.types)
        wanted = tiny.pooling.pool(states, inputs.mask).numpy()

    served = encoder.encode(TEXTS, adapters=[adapter] * 3)
    np.testing.assert_allclose(served, wanted[:3], atol=1e-4)
    assert np.abs(served - encoder.encode(TEXTS)).max() > 0.05
    [pair] = encoder.encode_tokens([("who rose", "the firm rose")], adapters=[adapter])
    np.testing.assert_allclose(pair.states, states[3, : len(pair.states)].numpy(), atol=1e-4)

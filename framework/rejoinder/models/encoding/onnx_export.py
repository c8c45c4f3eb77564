"""Converts an encoder to ONNX, in float32 or int8. Runs in a process of its own, because it needs torch and transformers, much memory
for a moment, and makes warnings that are none of a server's.

The graph has the inputs of the model, and the outputs `states` (n, length, dim) and `vectors` (n, dim), so that nothing but vectors need
leave it.

int8: weights in 8 bits for each column, activations in 8 bits with a scale found anew at each run (onnxruntime's dynamic quantisation).
A few channels of BERT's activations are 20 times as large as the others and would take all the 8 bits, so channels are first evened out
against the weights that read them. Source: Xiao et al. 2023, SmoothQuant (arXiv:2211.10438), equation 4; here with a multiplication in
front of each product, since the outputs of BERT's norms go to the residual too, and the strength 0.7 in place of 0.5: all-MiniLM-L6-v2 on
banking77 has a mean cosine of 0.9980 to float32 with it, 0.9942 without.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, RejoinderError
from rejoinder.models.encoding.onnx_runtime import import_onnxruntime
from rejoinder.models.encoding.pooling import Pooling
from rejoinder.models.encoding.source import Source, find_source, needing_models
from rejoinder.models.encoding.tokens import Tokeniser
from rejoinder.models.encoding.transformers_model import load_transformers_model, model_inputs

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

__all__ = ["convert"]

_OPSET: Final = 17
_SMOOTHING: Final = 0.7
_SMALLEST: Final = 1e-5
_LARGEST_DIFFERENCE: Final = 1e-5
"""Between float32 vectors of torch and of ONNX; larger ones would need another `Encoder.hash`."""

_LEAST_COSINE: Final = 0.9
"""Between the vectors of torch and those of int8; below that the conversion is wrong, not rough."""

_SAMPLE: Final = (
    "Where is my card? It should have arrived last week.",
    "The quarterly report shows that operating profit rose to EUR 13.1 million from EUR 8.7 million.",
    "Thanks a lot, that was really helpful!",
    "In 1066 the Normans, led by William the Conqueror, defeated Harold at the battle of Hastings.",
    "no",
    "Can I change the delivery address of order #48213-B to 17 Mill Lane, please?",
    "The food was cold, the waiter rude and the bill wrong; we shall not come back.",
    "Photosynthesis turns carbon dioxide and water into sugar and oxygen with the energy of light.",
    "What's the weather like in Paris tomorrow morning, and do I need an umbrella?",
    "i cant log in it says password incorect but i just reset it",
    "To install it, run `pip install --upgrade package==2.4.1` and restart the server (port 8080).",
    "She laughed, closed the book and went out into the rain without a coat.",
    "Der Zug nach München fährt heute leider erst um 18:45 Uhr ab.",
    "https://example.org/a/b?c=d&e=f",
    "The court held that the contract was void because neither party had signed it.",
    "!!! ???",
    "Symptoms include fever, a dry cough, tiredness and, in some cases, a loss of taste or smell.",
    "Refund me now, I've been waiting for 3 weeks and nobody answers my e-mails!!",
)
"""Texts of many kinds: the ranges of activations are read from them, and the converted model is checked with them."""


def convert(source: Source, pooling: Pooling, target: Path, *, precision: str, reduce_range: bool = False) -> None:
    """Write the encoder as an ONNX file and check that it gives the vectors of torch.

    Args:
        source: the checked files.
        pooling: how vectors are made of the states.
        target: the file to write; its folder exists.
        precision: "float32" or "int8".
        reduce_range: int8 only: weights in 7 bits, for x86 processors without VNNI, whose 8-bit sums overflow.

    Raises:
        ModelError: the model cannot be converted, or its vectors come out different.
    """
    with needing_models():
        import numpy as np
        import torch

    import_onnxruntime()
    tokeniser = Tokeniser(source)
    model: Any = load_transformers_model(source, attention="eager")
    inputs = model_inputs(model)
    samples = [_feed(tokeniser, [text], inputs) for text in (*_SAMPLE, " ".join(_SAMPLE))]
    batch = _feed(tokeniser, _SAMPLE[:4], inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _trace(model, pooling, {name: torch.from_numpy(array) for name, array in batch.items()}, target)
        if precision == "int8":
            _smooth(target, samples)
            _quantise(target, reduce_range=reduce_range)

    session = _session(target)
    batch = _feed(tokeniser, _SAMPLE[4:11], inputs)
    with torch.inference_mode():
        given = {name: torch.from_numpy(array) for name, array in batch.items()}
        expected = pooling.pool(model(**given).last_hidden_state, given["attention_mask"]).numpy()
    found: NDArray[np.float32] = session.run(["vectors"], _wanted(session, batch))[0]
    difference = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    cosine = float(((found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)).min())
    if not (difference <= _LARGEST_DIFFERENCE if precision == "float32" else cosine >= _LEAST_COSINE):
        raise ModelError(
            f"{source.weights} in ONNX ({precision}) gives other vectors than in torch (largest difference {difference:.1e}, least cosine "
            f'{cosine:.4f}): set encoder.backend to "torch"'
        )


def _feed(tokeniser: Tokeniser, texts: Any, inputs: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    batch = tokeniser.batch(tokeniser.encodings(texts))
    arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    return {name: arrays[name] for name in inputs}


def _trace(model: Any, pooling: Pooling, example: dict[str, Any], target: Path) -> None:
    import torch

    names = list(example)

    class Pooled(torch.nn.Module):
        """The model with its pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            given = dict(zip(names, arrays, strict=True))
            states = self.model(**given).last_hidden_state
            return states, pooling.pool(states, given["attention_mask"].to(states.dtype))

    axes = {name: {0: "texts", 1: "tokens"} for name in (*names, "states")} | {"vectors": {0: "texts"}}
    try:
        # The exporter that traces: the newer one needs one more library, onnxscript.
        torch.onnx.export(
            Pooled().eval(),
            tuple(example.values()),
            str(target),
            input_names=names,
            output_names=["states", "vectors"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
    except Exception as error:  # torch raises many kinds for what it cannot export
        raise ModelError(
            f"a model of this kind cannot be converted to ONNX ({type(error).__name__}: {str(error)[:300]}): "
            'set encoder.backend to "torch"'
        ) from error


def _smooth(path: Path, samples: list[dict[str, NDArray[np.int64]]]) -> None:
    """Even out the channels of what each product with weights reads; the graph computes the same as before."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    tables = {node.input[1]: numpy_helper.to_array(weights[node.input[1]]) for node in products}
    largest = _channel_ranges(model, sorted({node.input[0] for node in products}), samples)
    rows: dict[str, Any] = {}
    for node in products:
        rows[node.input[0]] = np.maximum(rows.get(node.input[0], 0), np.abs(tables[node.input[1]]).max(axis=1))
    factors = {
        name: np.maximum(most, _SMALLEST) ** _SMOOTHING / np.maximum(rows[name], _SMALLEST) ** (1 - _SMOOTHING)
        for name, most in largest.items()
    }
    wanted = {node.name for node in products}
    nodes: list[Any] = []
    done: set[str] = set()
    for node in graph.node:
        if node.name in wanted:
            read, table = node.input[0], node.input[1]
            if read not in done:
                done.add(read)
                graph.initializer.append(
                    numpy_helper.from_array((1 / factors[read]).astype(np.float32), f"{read}_smoothing")
                )
                nodes.append(
                    helper.make_node("Mul", [read, f"{read}_smoothing"], [f"{read}_even"], name=f"{read}_smooth")
                )
            evened = (tables[table] * factors[read][:, None]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(evened, f"{node.name}_weights"))
            node.input[0], node.input[1] = f"{read}_even", f"{node.name}_weights"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.save(model, str(path))


def _channel_ranges(
    model: onnx.ModelProto, names: list[str], samples: list[dict[str, NDArray[np.int64]]]
) -> dict[str, NDArray[np.float32]]:
    """Return (channels,) for each name: the largest absolute value in the samples."""
    import numpy as np
    import onnx
    from onnx import helper

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    given = {one.name for one in probe.graph.output}
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name not in given
    )
    session = _session(probe.SerializeToString())
    found: dict[str, Any] = dict.fromkeys(names, 0)
    for sample in samples:
        for name, values in zip(names, session.run(names, _wanted(session, sample)), strict=True):
            found[name] = np.maximum(found[name], np.abs(values).reshape(-1, values.shape[-1]).max(axis=0))
    return found


def _quantise(path: Path, *, reduce_range: bool) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    rough = path.with_suffix(".int8")
    quantize_dynamic(
        str(path),
        str(rough),
        op_types_to_quantize=["MatMul"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=reduce_range,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    rough.replace(path)


def _wanted(session: Any, batch: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """What the graph reads: an input that the model takes and then ignores is not in it."""
    return {one.name: batch[one.name] for one in session.get_inputs()}


def _session(model: Path | bytes) -> Any:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def _main(request: str) -> None:
    """Convert as a JSON object says; an error is one line on stderr and exit code 1."""
    import logging

    asked = json.loads(request)
    logging.disable(
        logging.WARNING
    )  # onnxruntime advises through the root logger to prepare models in ways that fuse less well
    warnings.simplefilter("ignore")
    try:
        convert(
            find_source(asked["folder"]),
            Pooling(asked["mode"], asked["normalised"]),
            Path(asked["target"]),
            precision=asked["precision"],
            reduce_range=asked["reduce_range"],
        )
    except RejoinderError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1])

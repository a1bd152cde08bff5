# SPDX-License-Identifier: Apache-2.0
"""The network in 8-bit integers, by ONNX Runtime's static quantisation, calibrated on the user's frames.

Weights are quantised per output channel, activations per tensor between the least and the greatest value that the frames
gave. The vehicle's kernels decide the format:

- ``int8``, for CPUs: uint8 activations; weights of 7 bits, with which processors without VNNI compute the same integers as
  those with it (their 16-bit sums would saturate on 8);
- ``int8-tensorrt``: int8 activations without a zero point and float biases, the only form that TensorRT takes.

The last convolutions stay in float, and so does what makes the values that the tap reads, be it a convolution or the sum at
the end of a residual block: a class map of 8-bit logits has ties, and entropies are logarithms of small differences.
"""

import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.errors import UsageError
from export.forms import graph_feed
from export.network_body import CONVOLUTIONS, NetworkBody, network_body
from export.noise import Noise
from export.precision import INT8_TENSORRT

_BETWEEN = ("Relu", "Clip", "Add", "Mul", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize")
_ELEMENTWISE = ("Relu", "Clip", "LeakyRelu", "HardSwish")
_ALREADY_FOLDED = ("onnx.quant.pre_process", "onnxruntime.quant")  # what ONNX Runtime's own preparation would note


class Quantiser:
    """Quantises one graph again and again, with other layers in float; the frames are run once.

    Args:
        model: the network's graph; left as it is.
        kind: ``int8`` or ``int8-tensorrt`` of ``export.precision``.
        frames: each ``(1, H, W, 3)`` uint8 with its noise; read once, one at a time.

    Raises:
        UsageError: the network has no convolution but those that stay in float.
    """

    def __init__(self, model: ModelProto, kind: str, frames: Iterable[tuple[NDArray[np.uint8], Noise]]) -> None:
        self._model, self._kind = model, kind
        self.body = network_body(model)
        self._at_tap = self._before_tap()
        kept = {*self.body.last_layers, *self._layers_of(self._at_tap)}
        self.layers = tuple(layer for layer in self.body.layers if layer not in kept)
        if not self.layers:
            raise UsageError(
                f"expected convolutions to quantise, the network has none but its last and the tap's: drop --precision {kind}"
            )
        self._ranges = b""  # of every value, as ONNX Runtime keeps them
        self._quantise([name for names in self.body.layers.values() for name in names], _Frames(frames))

    def __call__(self, float_layers: Collection[str] = ()) -> ModelProto:
        """The graph with all of ``layers`` but some in 8 bits, and with them what lies between."""
        layers = [layer for layer in self.layers if layer not in float_layers]
        held = {name for layer in float_layers for name in self.body.layers[layer]}
        between = {
            node.name for node in self._model.graph.node if node.name in self.body.between and node.op_type in _BETWEEN
        }
        return self._quantise([*self._nodes(layers), *sorted(between - held - self._at_tap)])

    def only(self, layer: str) -> ModelProto:
        """The graph with one layer in 8 bits: what it alone costs."""
        return self._quantise(self._nodes([layer]))

    def _nodes(self, layers: Iterable[str]) -> list[str]:
        return [name for layer in layers for name in self.body.layers[layer]]

    def _before_tap(self) -> set[str]:
        """Nodes from the tapped values up to the sum or the convolution that makes them."""
        makers = {value: node for node in self._model.graph.node for value in node.output}
        found, open_values = set[str](), set(self.body.tapped)
        while open_values:
            maker = makers.get(open_values.pop())
            if maker is not None and maker.op_type in (*_ELEMENTWISE, "Add", *CONVOLUTIONS):
                found.add(maker.name)
                if maker.op_type in _ELEMENTWISE:  # the terms of a sum may come in 8 bits, the sum is tapped in float
                    open_values.add(maker.input[0])
        return found

    def _layers_of(self, nodes: Collection[str]) -> list[str]:
        return [layer for layer, names in self.body.layers.items() if not set(names).isdisjoint(nodes)]

    def _quantise(self, nodes: Sequence[str], frames: "_Frames | None" = None) -> ModelProto:
        copy = ModelProto()
        copy.CopyFrom(self._model)
        onnx.helper.set_model_props(copy, dict([_ALREADY_FOLDED]))
        tensorrt = self._kind == INT8_TENSORRT
        extra: dict[str, Any] = {"WeightSymmetric": True, "ActivationSymmetric": tensorrt}
        if tensorrt:
            extra |= {"QuantizeBias": False, "DedicatedQDQPair": True}
        with tempfile.TemporaryDirectory(prefix="lsood_int8.") as folder:
            out, ranges = Path(folder) / "quantised.onnx", Path(folder) / "ranges.json"
            if self._ranges:
                ranges.write_bytes(self._ranges)
            quantize_static(
                copy,
                out,
                frames,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*CONVOLUTIONS, *_BETWEEN],
                nodes_to_quantize=list(nodes),
                per_channel=True,
                reduce_range=not tensorrt,
                activation_type=QuantType.QInt8 if tensorrt else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibration_cache_path=ranges,
                extra_options=extra,
            )
            quantised, self._ranges = onnx.load(out), ranges.read_bytes()
        del quantised.metadata_props[:]
        _read_unrounded(quantised, self.body)
        onnx.checker.check_model(quantised)
        return quantised


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, frames: Iterable[tuple[NDArray[np.uint8], Noise]]) -> None:
        self._frames = iter(frames)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """One frame, as ONNX Runtime's calibration asks for it; None at the end."""
        case = next(self._frames, None)
        return None if case is None else graph_feed(*case)


def _read_unrounded(model: ModelProto, body: NetworkBody) -> None:
    """Let what lies outside the network read values as they were computed, not after their rounding to 8 bits, in place."""
    makers = {value: node for node in model.graph.node for value in node.output}
    for node in model.graph.node:
        if node.name in body.nodes or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for i, value in enumerate(node.input):
            dequantised = makers.get(value)
            rounded = (
                makers.get(dequantised.input[0]) if dequantised and dequantised.op_type == "DequantizeLinear" else None
            )
            source = makers.get(rounded.input[0]) if rounded is not None else None
            if source is not None and source.op_type not in CONVOLUTIONS:
                node.input[i] = cast(Any, rounded).input[0]

# SPDX-License-Identifier: Apache-2.0
"""Quantise the network to 8-bit integers with ONNX Runtime's static quantisation, calibrated on the user's frames.

Weights are quantised per output channel, activations per tensor between the least and the greatest value over the frames.
The kernels in the vehicle decide the format:

- ``int8``, for CPUs: uint8 activations and weights of 7 bits, since processors without VNNI add products in 16 bits, where
  8-bit weights would saturate: with 7 bits both kinds compute the same integers;
- ``int8-tensorrt``: int8 activations without a zero point and float biases, the only form that TensorRT takes.

The last convolutions stay in float, since a class map of 8-bit logits has ties. The layers before the tap are quantised: the
tap's mean over hundreds of cells averages their rounding errors out (benchmarks/NOTES.md).
"""

import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.errors import UsageError
from export.graphs.monitor_forms import graph_feed
from export.graphs.noise import NoiseBatch
from export.precision.network_body import CONVOLUTIONS, network_body
from export.precision.options import INT8_TENSORRT

_BETWEEN = ("Relu", "Clip", "Add", "Mul", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize")
_ALREADY_FOLDED = ("onnx.quant.pre_process", "onnxruntime.quant")  # set by ONNX Runtime's own preparation


class Quantiser:
    """Quantises a graph as often as asked, each time with other layers in float; the frames are run once.

    Args:
        model: the network's graph; not changed.
        kind: ``int8`` or ``int8-tensorrt`` of ``export.precision.options``.
        frames: each ``(1, H, W, 3)`` uint8 with its noise; read once, one at a time.

    Raises:
        UsageError: the network has no other convolutions than its last ones.
    """

    def __init__(self, model: ModelProto, kind: str, frames: Iterable[tuple[NDArray[np.uint8], NoiseBatch]]) -> None:
        self._model, self._kind = model, kind
        self.body = network_body(model)
        self.layers = tuple(layer for layer in self.body.layers if layer not in self.body.last_layers)
        if not self.layers:
            raise UsageError(
                f"expected convolutions to quantise, the network has none but its last: drop --precision {kind}"
            )
        self._ranges = b""  # of every value, in ONNX Runtime's file format
        self._quantise([name for names in self.body.layers.values() for name in names], _Frames(frames))

    def __call__(self, float_layers: Collection[str] = ()) -> ModelProto:
        """Quantise all of ``layers`` but some, and the nodes between convolutions."""
        layers = [layer for layer in self.layers if layer not in float_layers]
        between = {
            node.name for node in self._model.graph.node if node.name in self.body.between and node.op_type in _BETWEEN
        }
        return self._quantise([*self._nodes(layers), *sorted(between)])

    def only(self, layer: str) -> ModelProto:
        """Quantise one layer alone, to measure what it costs."""
        return self._quantise(self._nodes([layer]))

    def _nodes(self, layers: Iterable[str]) -> list[str]:
        return [name for layer in layers for name in self.body.layers[layer]]

    def _quantise(self, nodes: Sequence[str], frames: "_Frames | None" = None) -> ModelProto:
        copy = ModelProto()
        copy.CopyFrom(self._model)
        onnx.helper.set_model_props(copy, dict([_ALREADY_FOLDED]))
        tensorrt = self._kind == INT8_TENSORRT
        extra = {"WeightSymmetric": True, "ActivationSymmetric": tensorrt}
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
        onnx.checker.check_model(quantised)
        return quantised


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, frames: Iterable[tuple[NDArray[np.uint8], NoiseBatch]]) -> None:
        self._frames = iter(frames)

    def get_next(self) -> Mapping[str, NDArray[np.generic]] | None:
        """Give the next frame by input name, as ONNX Runtime's calibration requires; None at the end."""
        case = next(self._frames, None)
        return None if case is None else graph_feed(*case)

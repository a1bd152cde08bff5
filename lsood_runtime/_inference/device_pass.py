# SPDX-License-Identifier: Apache-2.0
"""Run both graphs of a bundle over buffers on the device that computes."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._bundle.answers_records import ANSWER_OUTPUTS
from lsood_runtime._bundle.records import ENTROPY
from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.frame_pass import Outcome
from lsood_runtime._inference.graph import Graph, Signature
from lsood_runtime._inference.kept_features import join_features, kept_names

DTYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
"""NumPy types of the inputs and outputs of a bundle's graphs, by ONNX Runtime's name."""


_KEPT = 2
"""Sizes of batches whose buffers are kept, the ones that were used last: single frames and those of all cameras."""


@dataclass(frozen=True, slots=True)
class _Buffers:
    """Tensors at addresses that stay, and what binds both graphs to them."""

    values: Mapping[str, ort.OrtValue]
    network: ort.IOBinding
    detector: ort.IOBinding


class DevicePass:
    """Runs both graphs over buffers on the device: the frame is copied to it; score, parts, answers and segmentation
    from it.

    The features stay there between the graphs, and are copied from it where they are kept.

    One frame or batch at a time; the device would not run two at once either.

    Args:
        network: the first graph.
        detector: the second.
        device: ONNX Runtime's name of the memory, ``cuda``; with ``cpu`` the buffers lie in host memory.
        device_id: index of the device.
        fixed_addresses: the kernels replay these addresses (CUDA graphs): frames are always copied into the buffer.
        keep_features: give the features of each frame with its score.
    """

    def __init__(
        self,
        network: Graph,
        detector: Graph,
        device: str,
        device_id: int,
        *,
        fixed_addresses: bool = False,
        keep_features: bool = False,
    ) -> None:
        self._network, self._detector, self._keep = network, detector, keep_features
        self._device, self._device_id, self._fixed_addresses = device, device_id, fixed_addresses
        self._lock = threading.Lock()
        self._buffers: OrderedDict[int, _Buffers] = OrderedDict()

    def run(
        self,
        frames: Frame | DeviceFrame,
        noise: Mapping[str, NDArray[np.float32]],
        run_options: ort.RunOptions | None = None,
    ) -> Outcome:
        """Take ``(B, H, W, 3)`` frames and the noise inputs through both graphs."""
        with self._lock:
            return self._run(frames, noise, run_options)

    def _run(
        self,
        frames: Frame | DeviceFrame,
        noise: Mapping[str, NDArray[np.float32]],
        run_options: ort.RunOptions | None,
    ) -> Outcome:
        batch = frames.shape[0]
        if batch not in self._buffers:
            if len(self._buffers) == _KEPT:
                self._buffers.popitem(last=False)
            self._buffers[batch] = self._network.guard(self._allocate, batch)
        self._buffers.move_to_end(batch)
        buffers = self._buffers[batch]
        if isinstance(frames, DeviceFrame):
            self._bind(frames, buffers.network)
        else:
            buffers.network.bind_ortvalue_input("frame", buffers.values["frame"])
            self._network.guard(buffers.values["frame"].update_inplace, frames)
        for name, values in noise.items():
            self._network.guard(buffers.values[name].update_inplace, values)
        self._network.guard(self._network.session.run_with_iobinding, buffers.network, run_options)
        self._detector.guard(self._detector.session.run_with_iobinding, buffers.detector, run_options)
        segmentation, parts = buffers.values.get("segmentation"), buffers.values.get("parts")
        return Outcome(
            scores=np.array(self._detector.guard(buffers.values["score"].numpy)),
            segmentation=None if segmentation is None else np.array(self._network.guard(segmentation.numpy)),
            parts=None if parts is None else np.array(self._detector.guard(parts.numpy)),
            answers={
                name: np.array(self._detector.guard(buffers.values[name].numpy))
                for name in ANSWER_OUTPUTS
                if name in self._detector.outputs
            },
            features=self._features(buffers.values, batch) if self._keep else None,
        )

    def _features(self, values: Mapping[str, ort.OrtValue], batch: int) -> NDArray[np.float32]:
        """The features of a pass in host memory, those of the network before the entropy."""
        graphs = dict.fromkeys(kept_names(self._detector.inputs), self._network)
        graphs |= {ENTROPY: self._detector} if ENTROPY in self._detector.outputs else {}
        return join_features((graph.guard(values[name].numpy) for name, graph in graphs.items()), batch)

    def _bind(self, frames: DeviceFrame, binding: ort.IOBinding) -> None:
        if self._fixed_addresses:
            raise FrameError(
                "expected a frame in host memory: CUDA graphs replay the address of the first frame; "
                "leave enable_cuda_graph out to score frames where they lie"
            )
        if (frames.device, frames.device_id) != (self._device, self._device_id):
            raise FrameError(
                f"expected a frame in host memory or on {self._device}:{self._device_id}, "
                f"got one on {frames.device}:{frames.device_id}: copy it there first"
            )
        self._network.guard(
            binding.bind_input, "frame", frames.device, frames.device_id, np.uint8, frames.shape, frames.pointer
        )
        binding.synchronize_inputs()  # the frame may still be on its way in a stream of the producer

    def _allocate(self, batch: int) -> _Buffers:
        values: dict[str, ort.OrtValue] = {}
        network, detector = self._network.session.io_binding(), self._detector.session.io_binding()
        asked = [name for name in self._detector.outputs if self._keep or name != ENTROPY]
        scores: Signature = {name: self._detector.outputs[name] for name in asked}
        for signature, bind in (
            (self._network.inputs, network.bind_ortvalue_input),
            (self._network.outputs, network.bind_ortvalue_output),
            (scores, detector.bind_ortvalue_output),
        ):
            for name, (kind, shape) in signature.items():
                values[name] = ort.OrtValue.ortvalue_from_shape_and_type(
                    (batch, *shape), DTYPES[kind], self._device, self._device_id
                )
                bind(name, values[name])
        for name in self._detector.inputs:
            detector.bind_ortvalue_input(name, values[name])
        return _Buffers(values=values, network=network, detector=detector)

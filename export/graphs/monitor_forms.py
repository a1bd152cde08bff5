# SPDX-License-Identifier: Apache-2.0
"""Run each form in which a monitor ships as one function from frames to outputs, so that one check serves all."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto

from export.graphs.noise import NoiseBatch
from lsood_runtime.offline import noise_name, session_options

MonitorOutputs = Mapping[str, NDArray[Any]]
"""``score`` always; ``segmentation`` and ``parts`` where the monitor gives them; features where the form shows them."""

Form = Callable[[NDArray[np.uint8], NoiseBatch], MonitorOutputs]


def cpu_session(model: ModelProto, *, keep_memory: bool = True) -> ort.InferenceSession:
    """Open a session of ONNX Runtime on the CPU with the runtime's settings.

    Args:
        model: to run.
        keep_memory: whether memory of one run is kept for the next, as in the runtime; a few runs need no such reserve, which
            is up to twice what a run takes.
    """
    options = session_options()
    options.enable_cpu_mem_arena = keep_memory
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def two_graphs(segmentation: ort.InferenceSession, detector: ort.InferenceSession) -> Form:
    """Make the form that ``OoDMonitor`` runs: ``segmentation.onnx``, then ``detector.onnx``."""

    features = [value.name for value in detector.get_inputs()]
    scored = [value.name for value in detector.get_outputs() if value.name != "entropy"]

    def run(frames: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        outputs = run_graph(segmentation, frames, noise)
        scores = detector.run(scored, {name: outputs[name] for name in features})
        return outputs | dict(zip(scored, scores, strict=True))

    return run


def one_graph(monitor: ort.InferenceSession) -> Form:
    """Make the form of ``monitor.onnx``."""
    return lambda frames, noise: run_graph(monitor, frames, noise)


def run_graph(session: ort.InferenceSession, frames: NDArray[np.uint8], noise: NoiseBatch) -> dict[str, NDArray[Any]]:
    """Run a graph on frames, and on noise where it takes any, and give every output by name."""
    taken = {value.name for value in session.get_inputs()}
    feed = {name: value for name, value in graph_feed(frames, noise).items() if name in taken}
    results = session.run(None, feed)
    return dict(zip([output.name for output in session.get_outputs()], results, strict=True))


def class_maps(segmentation: NDArray[np.generic]) -> NDArray[np.integer]:
    """Class of each pixel ``(B, h, w)``, from class maps or from logits ``(B, K, h, w)``."""
    return segmentation.astype(np.uint16) if segmentation.ndim == 3 else segmentation.argmax(axis=1).astype(np.uint16)


def graph_feed(frames: NDArray[np.uint8], noise: NoiseBatch) -> dict[str, NDArray[Any]]:
    """Inputs of :func:`run_graph`'s graph by name."""
    return {"frame": frames} | {noise_name(i): values for i, values in enumerate(noise)}

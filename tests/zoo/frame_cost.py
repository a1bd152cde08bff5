# SPDX-License-Identifier: Apache-2.0
"""Cost of a monitored frame in a bundle as a multiple of the bare network's, in processor time of one thread."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.utils import Extractor

_PAIRS = 9


def frame_cost(graph: Path, frames: NDArray[np.uint8]) -> float:
    """Measure ``monitor.onnx`` against the part of it that gives the segmentation alone.

    The processor time of the calling thread leaves out what other processes of the machine do in the meantime.

    Args:
        graph: ``monitor.onnx``.
        frames: ``(N, H, W, 3)`` uint8, taken in turn.

    Returns:
        The median of the ratios of pairs that run one after the other.
    """
    model = onnx.load(graph)
    source = model.graph.input[0].name
    bare = _session(Extractor(model).extract_model([source], ["segmentation"]).SerializeToString())
    monitored = _session(graph)
    ratios = []
    for i in range(_PAIRS + 1):
        feed = {source: frames[i % len(frames)][None]}
        alone, whole = _seconds(bare, feed), _seconds(monitored, feed)
        ratios.append(whole / alone)
    return float(np.median(ratios[1:]))  # the first pass is slower


def _session(model: bytes | Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _seconds(session: onnxruntime.InferenceSession, feed: dict[str, Any]) -> float:
    start = time.thread_time()
    session.run(None, feed)
    return time.thread_time() - start

# SPDX-License-Identifier: Apache-2.0
"""Measure the time that a candidate's monitor adds to the network alone."""

import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from export.detectors.fitted import FittedDetector
from export.graphs.detector import features_graph, inputs_of
from export.graphs.evaluation_outputs import output_shapes
from export.graphs.monitor_forms import cpu_session
from export.search.graphs import SearchNetwork

_WARM_UP = 2


def added_ms(
    network: SearchNetwork,
    tap: str,
    samples: int,
    neighbors: int,
    detector: FittedDetector,
    frames: Iterable[NDArray[np.uint8]],
) -> float:
    """Measure the median over frames of the time with the monitor less the time of the bare network, in milliseconds.

    Args:
        network: makes the graphs.
        tap: the layer that is sampled.
        samples: S.
        neighbors: k.
        detector: fitted, on keys of an export.
        frames: of the camera, more than two: the first two only warm up.
    """
    layers = [key.layer for key in detector.keys if key.layer is not None and key.layer != tap]
    sampler = network.sampler((tap,), samples, layers)
    graph = network.monitored_graph(sampler, detector.keys)
    alone, monitored = cpu_session(network.bare_graph()), cpu_session(graph)
    scored = cpu_session(features_graph(detector, output_shapes(graph), neighbors))
    read = inputs_of(detector.keys)

    def run_bare(frame: NDArray[np.uint8]) -> None:
        alone.run(None, {"frame": frame[None]})

    def run_monitored(frame: NDArray[np.uint8]) -> None:
        _, *values = monitored.run(["segmentation", *read], {"frame": frame[None]})
        scored.run(["score"], dict(zip(read, values, strict=True)))

    added = []
    for i, frame in enumerate(frames):
        seconds = {}
        for run in (run_bare, run_monitored) if i % 2 else (run_monitored, run_bare):  # neither always on a warm cache
            start = time.perf_counter()
            run(frame)
            seconds[run] = time.perf_counter() - start
        added.append(seconds[run_monitored] - seconds[run_bare])
    return float(1e3 * np.median(added[_WARM_UP:]))

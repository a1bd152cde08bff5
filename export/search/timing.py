# SPDX-License-Identifier: Apache-2.0
"""Measure the time that a candidate's monitor adds to the network alone."""

import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.monitor_forms import cpu_session
from export.search.graphs import SearchNetwork

_WARM_UP = 2


def added_ms(
    network: SearchNetwork,
    tap: str,
    samples: int,
    neighbors: int,
    detector: Pipeline,
    frames: Iterable[NDArray[np.uint8]],
) -> float:
    """Measure the median over frames of the time with the monitor less the time of the bare network, in milliseconds.

    Args:
        network: makes the graphs.
        tap: the layer.
        samples: S.
        neighbors: k.
        detector: fitted on the tap's entropies.
        frames: of the camera, more than two: the first two only warm up.
    """
    sampler = network.sampler((tap,), samples)
    alone, monitored = cpu_session(network.bare_graph()), cpu_session(network.monitored_graph(sampler))
    entropy = entropy_graph(samples, sampler.channels, neighbors)
    scored = cpu_session(detector_graph(entropy, score_graph(detector, sampler.channels)))

    def run_bare(frame: NDArray[np.uint8]) -> None:
        alone.run(None, {"frame": frame[None]})

    def run_monitored(frame: NDArray[np.uint8]) -> None:
        _, latent_samples = monitored.run(None, {"frame": frame[None]})
        scored.run(["score"], {"latent_samples": latent_samples})

    added = []
    for i, frame in enumerate(frames):
        seconds = {}
        for run in (run_bare, run_monitored) if i % 2 else (run_monitored, run_bare):  # neither always on a warm cache
            start = time.perf_counter()
            run(frame)
            seconds[run] = time.perf_counter() - start
        added.append(seconds[run_monitored] - seconds[run_bare])
    return float(1e3 * np.median(added[_WARM_UP:]))

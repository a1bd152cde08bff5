# SPDX-License-Identifier: Apache-2.0
"""Cost of a monitored frame as a multiple of the bare network's: expected before the long work, measured after it."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom

from export.calibration.calibrated_monitor import CalibratedMonitor
from export.graphs.evaluation_outputs import SEGMENTATION, output_shapes, with_outputs
from export.graphs.monitor_forms import cpu_session, one_graph, two_graphs
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter
from export.sampling.operations import operation_ratio

DEAR = 1.2
"""Multiple of the bare network's operations above which an export warns."""

_FEWEST_PAIRS, _MOST_PAIRS, _SECONDS = 3, 30, 3.0
"""Pairs of frames that are timed: as many as take so many seconds."""


def report_expected_cost(inputs: ExportInputs, sampled: SampledNetwork, reporter: Reporter) -> float | None:
    """Report the operations of a monitored frame, and warn where they are many more than the bare network's.

    Returns:
        The multiple; None where the graph has no segmentation to compare with.
    """
    sampler = sampled.sampler
    example = inputs.preprocessing(torch.from_numpy(np.array(inputs.frames[0]))[None])
    ratio = operation_ratio(sampler, example)
    if ratio is None:
        return None
    reporter.stage(
        f"expected cost: {ratio:.2f} of the bare network's operations, convolutions and matrix products alone"
    )
    if ratio > DEAR:
        layers = list(dict.fromkeys(site.layer for site in sampler.sites if not site.added))
        shown = ", ".join(layers[:4]) + (f" and {len(layers) - 4} more" if len(layers) > 4 else "")
        if sampler.region_nodes and layers:
            why = f"what lies behind {shown} runs {sampler.samples} times a frame: --only-tap draws masks at the tap alone"
        else:
            why = f"{sampler.samples} samples of {sampler.channels} channels: lower --mc-samples, or choose a smaller --tap"
        reporter.stage(f"warning: more than {DEAR:g} of the bare network's, {why}")
    return ratio


def report_measured_cost(
    inputs: ExportInputs, sampled: SampledNetwork, monitor: CalibratedMonitor, reporter: Reporter
) -> None:
    """Measure a monitored frame against the bare network's in ONNX Runtime on this machine's CPU, and report the multiple.

    Args:
        inputs: frames.
        sampled: noise of the graph.
        monitor: in float32, calibrated.
        reporter: told the multiple; nothing where the graph has no segmentation.
    """
    if SEGMENTATION not in output_shapes(monitor.evaluation):
        return
    # Two sessions that keep their memory would hold four times that of a frame; neither does.
    bare = one_graph(cpu_session(with_outputs(monitor.evaluation, [SEGMENTATION]), keep_memory=False))
    segmentation = cpu_session(monitor.segmentation, keep_memory=False)
    monitored = two_graphs(segmentation, cpu_session(monitor.detector))
    seconds: list[tuple[float, float]] = []
    begin, i = time.perf_counter(), 0
    while i <= _FEWEST_PAIRS or (i <= _MOST_PAIRS and time.perf_counter() - begin < _SECONDS):
        frame, noise = inputs.frames[i % len(inputs.frames)][None], sampled.graph_noise.draw()
        pair = [0.0, 0.0]
        for j, form in ((0, bare), (1, monitored)) if i % 2 else ((1, monitored), (0, bare)):
            start = time.perf_counter()
            form(frame, noise)
            pair[j] = time.perf_counter() - start
        seconds.append((pair[0], pair[1]))
        i += 1
    for line in measured_cost(np.array(seconds[1:])):  # the first pass is slower
        reporter.stage(line)


def measured_cost(seconds: NDArray[np.float64]) -> list[str]:
    """Say what pairs of frames cost, and warn where even the lower end of the interval is dear.

    The interval is that of a median, by order statistics: it holds the true one at 95 % and more, from six pairs on; the
    smallest and the largest quotient stand for it where there are fewer.

    Args:
        seconds: ``(N, 2)`` of the bare network and of the monitored one, one frame after the other.
    """
    ratios = np.sort(seconds[:, 1] / seconds[:, 0])
    rank = max(int(binom.ppf(0.025, len(ratios), 0.5)) - 1, 0)
    ratio, low, high = np.median(ratios), ratios[rank], ratios[len(ratios) - 1 - rank]
    alone, whole = 1e3 * np.median(seconds, axis=0)
    lines = [
        f"measured cost on this CPU: {ratio:.2f} of the bare network ({low:.2f} to {high:.2f} by {len(ratios)} pairs of "
        f"frames; {whole:.1f} against {alone:.1f} ms)"
    ]
    if low > DEAR:
        lines.append(
            f"warning: more than {DEAR:g} of the bare network's time: a small one pays for each operation of the monitor; "
            "--only-tap, a lower --mc-samples or a detector of fewer features costs less"
        )
    return lines

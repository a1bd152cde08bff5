# SPDX-License-Identifier: Apache-2.0
"""Cost of a monitored frame as a multiple of the bare network's: expected before the long work, measured after it."""

import time

import numpy as np
import torch

from export.calibration.calibrated_monitor import CalibratedMonitor
from export.graphs.evaluation_outputs import SEGMENTATION, output_shapes, with_outputs
from export.graphs.monitor_forms import cpu_session, one_graph, two_graphs
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter
from export.sampling.operations import operation_ratio

DEAR = 1.2
"""Multiple of the bare network's operations above which an export warns."""

_PAIRS = 3


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
    reporter.stage(f"expected cost: {ratio:.2f} of the bare network's operations")
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
    seconds = np.zeros((_PAIRS + 1, 2))
    for i in range(len(seconds)):
        frame, noise = inputs.frames[i % len(inputs.frames)][None], sampled.graph_noise.draw()
        for j, form in ((0, bare), (1, monitored)) if i % 2 else ((1, monitored), (0, bare)):
            start = time.perf_counter()
            form(frame, noise)
            seconds[i, j] = time.perf_counter() - start
    alone, whole = np.median(seconds[1:], axis=0)  # the first pass is slower
    reporter.stage(
        f"measured cost on this CPU: {whole / alone:.2f} of the bare network ({1e3 * whole:.1f} against "
        f"{1e3 * alone:.1f} ms, median of {_PAIRS} frames)"
    )

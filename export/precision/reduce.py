# SPDX-License-Identifier: Apache-2.0
"""A calibrated monitor in fewer bits: the network is converted, calibrated anew, and let through the gate or not.

Where 8 bits everywhere cost more than was allowed, layers go back to float, worst first and twice as many at each step.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from export.anomalies.frame_set import FrameSource
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.detectors.entropy import latent_entropy
from export.errors import ParityError
from export.graphs.monitor_forms import Form, Outputs, cpu_session, run_graph
from export.graphs.noise import NoiseBatch, NoiseSource
from export.precision.float16 import to_float16
from export.precision.gate import PrecisionGate
from export.precision.int8 import Quantiser
from export.precision.options import FLOAT16, PrecisionLoss, PrecisionOptions
from export.reporter import Reporter

RANGE_FRAMES = 64
_RANK_FRAMES = 4


@dataclass(frozen=True, eq=False)
class Reduction:
    """A monitor of fewer bits that passed the gate.

    Attributes:
        monitor: with a detector and thresholds of its own.
        float_layers: convolutions that stayed in float32 because quantising them hurt.
        loss: against the same monitor in float32.
    """

    monitor: CalibratedMonitor
    float_layers: tuple[str, ...]
    loss: PrecisionLoss


def reduce_precision(
    float32: CalibratedMonitor,
    options: PrecisionOptions,
    *,
    neighbors: int,
    calibrate: Callable[[ModelProto], CalibratedMonitor],
    form: Callable[[CalibratedMonitor], Form],
    gate: PrecisionGate,
    fitted: FrameSource,
    noise: NoiseSource,
    reporter: Reporter,
) -> Reduction:
    """Convert a monitor's network and see what it costs.

    Args:
        float32: the monitor.
        options: precision and what it may cost.
        neighbors: k of the entropy.
        calibrate: fits detector and thresholds to a graph of the network.
        form: how the gate runs a monitor.
        gate: asks both monitors.
        fitted: frames from which the ranges of 8-bit values come; none of the gate's.
        noise: what the graph takes from outside, frame by frame.
        reporter: told each stage and how far the loops have come.

    Raises:
        ParityError: it costs more than was allowed, whatever stays in float.
        UsageError: there is nothing to convert.
    """
    before = gate.ask(form(float32), float32.threshold)

    def judged(graph: ModelProto, float_layers: tuple[str, ...]) -> Reduction:
        monitor = calibrate(graph)
        after = gate.ask(form(monitor), monitor.threshold)
        return Reduction(monitor, float_layers, gate.loss(after, before))

    reporter.stage(f"converting the network to {options.kind}")
    if options.kind == FLOAT16:
        reduction = judged(to_float16(float32.evaluation), ())
        _check(reduction, options, "")
        return reduction
    spread = np.linspace(0, len(fitted) - 1, min(RANGE_FRAMES, len(fitted))).round().astype(int)
    cases = ((fitted[int(i)][None], noise.draw()) for i in spread)
    quantiser = Quantiser(float32.evaluation, options.kind, reporter.progress(cases, "ranges", len(spread)))
    reduction = judged(quantiser(), ())
    if not reduction.loss.excess(options):
        return reduction
    reporter.stage(
        f"8 bits everywhere cost too much ({', '.join(reduction.loss.excess(options))}): looking for the layers that hurt"
    )
    by_pixels = reduction.loss.pixel_changes > options.max_pixel_changes
    few = [(fitted[int(i)][None], noise.draw()) for i in spread[:: max(len(spread) // _RANK_FRAMES, 1)]]
    ranked = rank_layers(quantiser, float32.evaluation, few, neighbors, by_pixels, reporter)
    count = 1
    while count <= len(ranked) // 2:
        reporter.stage(f"{count} of {len(ranked)} layers in float")
        reduction = judged(quantiser(ranked[:count]), tuple(ranked[:count]))
        if not reduction.loss.excess(options):
            return reduction
        count *= 2
    _check(reduction, options, f", with {len(reduction.float_layers)} of {len(ranked)} layers in float")
    raise AssertionError("what does not exceed was returned above")


def _check(reduction: Reduction, options: PrecisionOptions, how: str) -> None:
    excess = reduction.loss.excess(options)
    if excess:
        raise ParityError(
            f"the monitor in {options.kind} is too far from the one in float32 over {reduction.loss.frames} frames{how}: "
            f"{'; '.join(excess)}; no bundle was written. Allow more by --max-flips, --max-auroc-loss or "
            "--max-pixel-changes, or stay with --precision fp32"
        )


def rank_layers(
    quantiser: Quantiser,
    float32: ModelProto,
    cases: Sequence[tuple[NDArray[np.uint8], NoiseBatch]],
    neighbors: int,
    by_pixels: bool,
    reporter: Reporter,
) -> list[str]:
    """Layers in the order of what each costs when it alone is quantised, worst first.

    Args:
        quantiser: of the graph.
        float32: the graph.
        cases: frames with their noise.
        neighbors: k of the entropy.
        by_pixels: cost is the share of pixels of another class; else the root mean square of what entropies change by, nats.
        reporter: told how far the loop over layers has come.
    """

    def outputs(graph: ModelProto) -> list[Outputs]:
        session = cpu_session(graph)
        return [run_graph(session, *case) for case in cases]

    expected = outputs(float32)

    def cost(layer: str) -> float:
        pairs = zip(outputs(quantiser.only(layer)), expected, strict=True)
        if by_pixels:
            return float(np.mean([(_classes(got) != _classes(right)).mean() for got, right in pairs]))
        changes = [
            latent_entropy(got["latent_samples"], neighbors) - latent_entropy(right["latent_samples"], neighbors)
            for got, right in pairs
        ]
        return float(np.sqrt(np.mean(np.square(changes))))

    layers: Iterable[str] = reporter.progress(quantiser.layers, "what each layer costs", len(quantiser.layers))
    costs = {layer: cost(layer) for layer in layers}
    return sorted(costs, key=lambda layer: -costs[layer])


def _classes(outputs: Outputs) -> NDArray[np.integer]:
    segmentation: NDArray[np.integer] = outputs["segmentation"][0]
    return segmentation if segmentation.ndim == 2 else segmentation.argmax(axis=0)

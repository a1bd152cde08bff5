# SPDX-License-Identifier: Apache-2.0
"""Reduce the precision of a calibrated monitor: convert its network, calibrate it anew, compare it with float32.

Where 8 bits everywhere cost more than the limits allow, layers go back to float: the most costly first, and twice as many
in each step.
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
from export.frames.evenly_spaced import evenly_spaced
from export.graphs.monitor_forms import Form, MonitorOutputs, class_maps, cpu_session, run_graph
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
    """A monitor of fewer bits and what it costs.

    Attributes:
        monitor: with a detector and thresholds of its own.
        loss: against the same monitor in float32.
        float_layers: convolutions that stayed in float32 because quantising them cost too much.
        layers: how many convolutions could be quantised; 0 where none is, as in float16.
    """

    monitor: CalibratedMonitor
    loss: PrecisionLoss
    float_layers: tuple[str, ...] = ()
    layers: int = 0


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
    """Convert the network of a monitor and check what that costs.

    Args:
        float32: the monitor.
        options: precision and what it may cost.
        neighbors: k of the entropy.
        calibrate: fits detector and thresholds to a graph of the network.
        form: how the gate runs a monitor.
        gate: compares the two monitors.
        fitted: frames from which the ranges of 8-bit values come; none of the gate's.
        noise: what the graph takes from outside, frame by frame.
        reporter: told each stage and how far the loops have come.

    Raises:
        ParityError: it costs more than was allowed, whatever stays in float.
        UsageError: there is nothing to convert.
    """
    before = gate.decide(form(float32), float32.threshold)

    def reduced(graph: ModelProto, float_layers: Sequence[str] = (), layers: int = 0) -> Reduction:
        monitor = calibrate(graph)
        after = gate.decide(form(monitor), monitor.threshold)
        return Reduction(monitor, gate.loss(after, before), tuple(float_layers), layers)

    reporter.stage(f"converting the network to {options.kind}")
    if options.kind == FLOAT16:
        reduction = reduced(to_float16(float32.evaluation))
    else:
        spread = evenly_spaced(np.arange(len(fitted)), RANGE_FRAMES)
        cases = ((fitted[int(i)][None], noise.draw()) for i in spread)
        quantiser = Quantiser(float32.evaluation, options.kind, reporter.progress(cases, "ranges", len(spread)))

        def quantised(float_layers: Sequence[str] = ()) -> Reduction:
            return reduced(quantiser(float_layers), float_layers, len(quantiser.layers))

        def ranked(by_pixels: bool) -> list[str]:
            few = [(fitted[int(i)][None], noise.draw()) for i in spread[:: max(len(spread) // _RANK_FRAMES, 1)]]
            return rank_layers(quantiser, float32.evaluation, few, neighbors, by_pixels, reporter)

        reduction = _keep_layers_in_float(quantised, ranked, options, reporter)
    _check(reduction, options)
    return reduction


def _keep_layers_in_float(
    quantised: Callable[[Sequence[str]], Reduction],
    ranked: Callable[[bool], list[str]],
    options: PrecisionOptions,
    reporter: Reporter,
) -> Reduction:
    """Quantise every layer, then all but the most costly ones until the limits hold or half of the layers are in float.

    Args:
        quantised: the monitor in 8 bits with some layers in float.
        ranked: the layers, the most costly first; by what they change of the pixels, or of the entropies.
        options: the limits.
        reporter: told each step.
    """
    reduction = quantised(())
    excess = reduction.loss.excess(options)
    if not excess:
        return reduction
    reporter.stage(f"8 bits everywhere cost too much ({', '.join(excess)}): looking for the most costly layers")
    layers = ranked(reduction.loss.pixel_changes > options.max_pixel_changes)
    count = 1
    while count <= len(layers) // 2:
        reporter.stage(f"{count} of {len(layers)} layers in float")
        reduction = quantised(layers[:count])
        if not reduction.loss.excess(options):
            break
        count *= 2
    return reduction


def _check(reduction: Reduction, options: PrecisionOptions) -> None:
    excess = reduction.loss.excess(options)
    if excess:
        kept = f", with {len(reduction.float_layers)} of {reduction.layers} layers in float" if reduction.layers else ""
        raise ParityError(
            f"the monitor in {options.kind} is too far from the one in float32 over {reduction.loss.frames} frames{kept}: "
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
    """Order the layers by what each costs when it alone is quantised, the most costly first.

    Args:
        quantiser: of the graph.
        float32: the graph.
        cases: frames with their noise.
        neighbors: k of the entropy.
        by_pixels: cost is the share of pixels of another class; else the root mean square of what entropies change by, nats.
        reporter: told how far the loop over layers has come.
    """

    def outputs(graph: ModelProto) -> list[MonitorOutputs]:
        session = cpu_session(graph)
        return [run_graph(session, *case) for case in cases]

    expected = outputs(float32)

    def cost(layer: str) -> float:
        pairs = zip(outputs(quantiser.only(layer)), expected, strict=True)
        if by_pixels:
            maps = ((class_maps(got["segmentation"]), class_maps(right["segmentation"])) for got, right in pairs)
            return float(np.mean([(ours != theirs).mean() for ours, theirs in maps]))
        changes = [
            latent_entropy(got["latent_samples"], neighbors) - latent_entropy(right["latent_samples"], neighbors)
            for got, right in pairs
        ]
        return float(np.sqrt(np.mean(np.square(changes))))

    layers: Iterable[str] = reporter.progress(quantiser.layers, "what each layer costs", len(quantiser.layers))
    costs = {layer: cost(layer) for layer in layers}
    return sorted(costs, key=lambda layer: -costs[layer])

# SPDX-License-Identifier: Apache-2.0
"""Stage ``answer``: fit what the options ask for beside the score, to calibration frames clean and degraded."""

from collections.abc import Sequence

from export.anomalies.own_cutouts import read_cutouts
from export.answers.fit import answer_keys
from export.answers.fit_map import CalibratedMap
from export.answers.rows import DegradedRows, PatchedRows
from export.bundle.answer_parity import checked_answers
from export.calibration.answer_options import changed_frames, reads_degraded
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.calibration.cutout_fit import calibrate_map
from export.calibration.degraded_rows import Labels, check_labelled, measure_degraded
from export.calibration.own_causes import OwnCause, own_causes
from export.calibration.patched_rows import measure_patched
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.frames.labels import label_files
from export.graphs.evaluation_outputs import SEGMENTATION, output_shapes
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.input_contract import input_contract
from export.pipeline.measure import NetworkFeatures
from export.pipeline.random_frames import RandomFrames
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


def answer_labels(inputs: ExportInputs) -> Labels:
    """Find the labels of the calibration frames, before the long work begins; none where none are given.

    Raises:
        UsageError: a folder without labels, frames without one, or labels that are no maps of classes.
    """
    given, shape = inputs.options.answers, inputs.logits_shape
    labels = Labels(label_files(given.labels), given.ignored_labels, None if shape is None else shape[0])
    if not isinstance(inputs.frames, RandomFrames):
        check_labelled(inputs.frames, inputs.split.fitted, labels)
    return labels


def answer_causes(inputs: ExportInputs) -> tuple[OwnCause, ...]:
    """Find the frames of the kinds of a user's own, before the long work begins.

    Raises:
        UsageError: frames that cannot be those of a kind beside the calibration frames.
        CalibrationError: too few of them.
    """
    return own_causes(inputs.options.answers.causes, inputs.frames)


def answer_monitor(
    inputs: ExportInputs, sampled: SampledNetwork, monitor: CalibratedMonitor, reporter: Reporter
) -> CalibratedMonitor:
    """Fit the answers that the options ask for, and make a monitor that gives them; the same one where they ask for none.

    Args:
        inputs: frames and options.
        sampled: the network and its noise.
        monitor: calibrated, in any precision.
        reporter: told how far the passes have come.

    Raises:
        UsageError: labels that cannot be used.
        CalibrationError: frames that no answer can be fitted on.
        ParityError: the graph of the answers disagrees with them.
    """
    options, wanted = inputs.options, inputs.options.answers.wanted
    if not wanted:
        return monitor
    reporter.stage(f"fitting {' and '.join(sorted(wanted))} to {changed_frames(wanted)}")
    # a call each, so that no network's session is kept beside the next
    rows = _degraded(inputs, sampled, monitor, reporter) if reads_degraded(wanted) else None
    patched = _patched(inputs, sampled, monitor, reporter) if sampled.tiles else None
    of_unknown = _of_unknown(inputs, sampled, monitor, reporter) if sampled.maps else None
    taps, seed = sampled.sampler.taps, options.seed
    return monitor.answering(checked_answers(rows, wanted, seed, taps, patched, of_unknown, reporter))


def _degraded(
    inputs: ExportInputs, sampled: SampledNetwork, monitor: CalibratedMonitor, reporter: Reporter
) -> DegradedRows:
    """Features of frames clean and degraded."""
    shapes = output_shapes(monitor.evaluation)
    available = [FeatureKey.parse(name) for name in shapes if name not in (SEGMENTATION, LATENT_SAMPLES)]
    measure = _features(inputs, sampled, monitor, answer_keys(available, sampled.sampler.taps), segmented=True)
    labels, causes, split = answer_labels(inputs), answer_causes(inputs), inputs.split
    seed = inputs.options.seed
    return measure_degraded(inputs.frames, split.fitted, split.names, measure, labels, seed, reporter, causes)


def _patched(
    inputs: ExportInputs, sampled: SampledNetwork, monitor: CalibratedMonitor, reporter: Reporter
) -> PatchedRows:
    """What is read of tiles of frames clean, with patches and with local kinds of degradation."""
    measure, split = _features(inputs, sampled, monitor, sampled.tiles, segmented=False), inputs.split
    contract, seed = input_contract(inputs.preprocessing, inputs.frames), inputs.options.seed
    return measure_patched(inputs.frames, split.fitted, split.names, measure, contract, seed, reporter)


def _of_unknown(
    inputs: ExportInputs, sampled: SampledNetwork, monitor: CalibratedMonitor, reporter: Reporter
) -> CalibratedMap:
    """An anomaly map fitted to frames clean and with objects."""
    measure, split = _features(inputs, sampled, monitor, sampled.maps, segmented=True), inputs.split
    contract, options = input_contract(inputs.preprocessing, inputs.frames), inputs.options
    road, own, labels = options.answers.road_classes, read_cutouts(options.answers.objects), answer_labels(inputs)
    frames, names, seed = inputs.frames, split.names, options.seed
    return calibrate_map(frames, split.fitted, names, measure, contract, seed, reporter, road, own, labels)


def _features(
    inputs: ExportInputs,
    sampled: SampledNetwork,
    monitor: CalibratedMonitor,
    keys: Sequence[FeatureKey],
    *,
    segmented: bool,
) -> NetworkFeatures:
    """Measures features by the graph of the monitor."""
    network = ConvertedNetwork(monitor.evaluation)
    return NetworkFeatures(sampled, network, keys, inputs.options.neighbors, segmented=segmented)

# SPDX-License-Identifier: Apache-2.0
"""Stage ``answer``: fit what the options ask for beside the score, to calibration frames clean and degraded."""

from export.answers.fit import answer_keys
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
    shapes = output_shapes(monitor.evaluation)
    available = [FeatureKey.parse(name) for name in shapes if name not in (SEGMENTATION, LATENT_SAMPLES)]
    keys = answer_keys(available, sampled.sampler.taps)
    reporter.stage(f"fitting {' and '.join(sorted(wanted))} to {changed_frames(wanted)}")
    frames, split = inputs.frames, inputs.split
    contract = input_contract(inputs.preprocessing, frames)
    rows = patched = of_unknown = None
    if reads_degraded(wanted):
        measure = NetworkFeatures(
            sampled, ConvertedNetwork(monitor.evaluation), keys, options.neighbors, segmented=True
        )
        labels, causes = answer_labels(inputs), answer_causes(inputs)
        rows = measure_degraded(frames, split.fitted, split.names, measure, labels, options.seed, reporter, causes)
    if sampled.tiles:
        of_tiles = NetworkFeatures(sampled, ConvertedNetwork(monitor.evaluation), sampled.tiles, options.neighbors)
        patched = measure_patched(frames, split.fitted, split.names, of_tiles, contract, options.seed, reporter)
    if sampled.maps:
        of_maps = NetworkFeatures(
            sampled, ConvertedNetwork(monitor.evaluation), sampled.maps, options.neighbors, segmented=True
        )
        of_unknown = calibrate_map(
            frames, split.fitted, split.names, of_maps, contract, options.seed, reporter, options.answers.road_classes
        )
    return monitor.answering(checked_answers(rows, wanted, options.seed, sampled.sampler.taps, patched, of_unknown))

# SPDX-License-Identifier: Apache-2.0
"""Stage ``calibrate``: fit detector and thresholds to the features that the network's graph gives."""

from export.atomic_write import scratch_folder
from export.calibration.calibrate import calibrate
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.features.folder import CHUNK, FeatureFolder, FolderContents
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.measure import NetworkFeatures
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


def calibrate_monitor(
    inputs: ExportInputs, sampled: SampledNetwork, converted: ConvertedNetwork, reporter: Reporter
) -> CalibratedMonitor:
    """Fit detector and thresholds to the features that a graph gives, frame by frame as in the vehicle.

    Args:
        inputs: frames and options.
        sampled: the network and its noise.
        converted: its graph, in any precision.
        reporter: told how far the loops over frames have come.

    Raises:
        CalibrationError: features that are not finite, too few frames, or ones that the detector cannot be fitted on.
    """
    options, keys = inputs.options, sampled.choice.keys
    measure = NetworkFeatures(sampled, converted, keys, options.neighbors)

    frames, ood_frames = inputs.frames, inputs.ood
    with scratch_folder(options.out) as path:
        folder = FeatureFolder.begin(path, FolderContents("", "", len(frames), "", CHUNK))
        ind = measure.into(folder, frames, "calibrating", reporter)
        ood = None
        if ood_frames is not None:
            ood = measure.of(ood_frames, range(len(ood_frames)), "out of distribution", reporter)
        calibration = calibrate(
            ind, inputs.split, options.calibration, sampled.choice, ood, (*inputs.warnings, *sampled.warnings)
        )
    return CalibratedMonitor.around(converted.evaluation, calibration, options.neighbors)

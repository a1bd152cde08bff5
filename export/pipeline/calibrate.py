# SPDX-License-Identifier: Apache-2.0
"""Stage ``calibrate``: fit detector and thresholds to the features that the network's graph gives."""

from export.calibration.calibrate import calibrate
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.detectors.fitted import FeatureRows
from export.frames.files import FrameFiles
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

    def measured(files: FrameFiles, what: str) -> FeatureRows:
        return measure.of(files, range(len(files)), what, reporter)

    ind = measured(inputs.frames, "calibrating")
    ood = None if inputs.ood is None else measured(inputs.ood, "out of distribution")
    calibration = calibrate(ind, inputs.split, options.calibration, sampled.choice, ood, inputs.warnings)
    return CalibratedMonitor.around(converted.evaluation, calibration, options.neighbors)

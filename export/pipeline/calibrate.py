# SPDX-License-Identifier: Apache-2.0
"""Stage ``calibrate``: fit detector and thresholds to the features that the network's graph gives."""

import numpy as np

from export.calibration.calibrate import calibrate
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.detectors.fitted import FeatureRows
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.frames.files import FrameFiles
from export.graphs.detector import entropy_graph, features_graph, inputs_of
from export.graphs.evaluation_outputs import output_shapes, vehicle_graph, with_outputs
from export.graphs.monitor_forms import cpu_session, run_graph
from export.pipeline.convert import ConvertedNetwork
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
    options, sampler, keys = inputs.options, sampled.sampler, sampled.choice.keys
    read = inputs_of(keys)
    session = cpu_session(with_outputs(converted.evaluation, read))
    entropy_session = cpu_session(entropy_graph(sampler.samples, sampler.channels, options.neighbors))

    def measured(files: FrameFiles, what: str) -> FeatureRows:
        rows = {key: np.empty((0, 0), np.float32) for key in keys}
        for i, frame in enumerate(reporter.progress(files, what, len(files))):
            outputs = run_graph(session, frame[None], sampled.graph_noise.draw())
            if LATENT_SAMPLES in read:
                samples = {LATENT_SAMPLES: outputs[LATENT_SAMPLES]}
                outputs[str(FeatureKey.entropy())] = entropy_session.run(["entropy"], samples)[0]
            for key in keys:
                if i == 0:
                    rows[key] = np.empty((len(files), outputs[str(key)].shape[1]), np.float32)
                rows[key][i] = outputs[str(key)][0]
        return rows

    ind = measured(inputs.frames, "calibrating")
    ood = None if inputs.ood is None else measured(inputs.ood, "out of distribution")
    calibration = calibrate(ind, inputs.split, options.calibration, sampled.choice, ood, inputs.warnings)
    return CalibratedMonitor(
        evaluation=converted.evaluation,
        segmentation=vehicle_graph(converted.evaluation, read),
        detector=features_graph(calibration.detector, output_shapes(converted.evaluation), options.neighbors),
        calibration=calibration,
    )

# SPDX-License-Identifier: Apache-2.0
"""Stage ``calibrate``: fit detector and thresholds to the entropies of the network's graph."""

import numpy as np
from numpy.typing import NDArray

from export.calibration.calibrate import calibrate
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.frames.files import FrameFiles
from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.evaluation_outputs import with_outputs
from export.graphs.monitor_forms import cpu_session, run_graph
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


def calibrate_monitor(
    inputs: ExportInputs, sampled: SampledNetwork, converted: ConvertedNetwork, reporter: Reporter
) -> CalibratedMonitor:
    """Fit detector and thresholds to the entropies that a graph gives, frame by frame as in the vehicle.

    Args:
        inputs: frames and options.
        sampled: the network and its noise.
        converted: its graph, in any precision.
        reporter: told how far the loops over frames have come.

    Raises:
        CalibrationError: entropies that are not finite, too few frames, or ones that the detector cannot be fitted on.
    """
    options, sampler = inputs.options, sampled.sampler
    segmentation = with_outputs(converted.evaluation, converted.network.outputs)
    entropy = entropy_graph(sampler.samples, sampler.channels, options.neighbors)
    session, entropy_session = cpu_session(segmentation), cpu_session(entropy)

    def entropies(files: FrameFiles, what: str) -> NDArray[np.float32]:
        rows = []
        for frame in reporter.progress(files, what, len(files)):
            samples = run_graph(session, frame[None], sampled.graph_noise.draw())["latent_samples"]
            rows.append(entropy_session.run(["entropy"], {"latent_samples": samples})[0])
        return np.concatenate(rows)

    ind = entropies(inputs.frames, "calibrating")
    ood = None if inputs.ood is None else entropies(inputs.ood, "out of distribution")
    calibration = calibrate(ind, inputs.split, options.calibration, ood, inputs.warnings)
    detector = detector_graph(entropy, score_graph(calibration.detector, sampler.channels))
    return CalibratedMonitor(
        evaluation=converted.evaluation, segmentation=segmentation, detector=detector, calibration=calibration
    )

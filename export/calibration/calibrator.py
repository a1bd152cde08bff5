# SPDX-License-Identifier: Apache-2.0
"""A network's graph with the detector and thresholds that its own entropies give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from export.calibration.calibrate import CalibrationResult, calibrate
from export.calibration.options import CalibrationOptions
from export.frames.files import FrameFiles
from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.evaluation import with_outputs
from export.graphs.noise import NoiseSource
from export.graphs.runners import cpu_session, run_graph
from export.reporter import Reporter


@dataclass(frozen=True, eq=False)
class CalibratedMonitor:
    """Graphs that belong together.

    Attributes:
        evaluation: see :mod:`export.graphs.evaluation`.
        segmentation: cut out of it for the vehicle.
        detector: latent samples to entropy and score.
        calibration: of the detector.
    """

    evaluation: ModelProto
    segmentation: ModelProto
    detector: ModelProto
    calibration: CalibrationResult

    @property
    def threshold(self) -> float:
        """Of the default operating point."""
        return self.calibration.points[self.calibration.operating_point].value


@dataclass(frozen=True, eq=False)
class Calibrator:
    """Fits a detector to a network's graph: the entropies come from that very graph, one frame at a time, as in the vehicle.

    Attributes:
        frames: in-distribution frames.
        drives: of each frame.
        held_out: indices of the frames that set the thresholds.
        ood: out-of-distribution frames for a detector that needs them.
        options: of the calibration.
        warnings: what else is known against the frames.
        outputs: of the vehicle's graph.
        shape: ``(S, C)`` of the latent samples.
        neighbors: k of the entropy.
        noise: what the graph takes from outside, frame by frame.
        reporter: told how far the loops over frames have come.
    """

    frames: FrameFiles
    drives: Sequence[str]
    held_out: NDArray[np.int64]
    ood: FrameFiles | None
    options: CalibrationOptions
    warnings: Sequence[str]
    outputs: Sequence[str]
    shape: tuple[int, int]
    neighbors: int
    noise: NoiseSource
    reporter: Reporter

    def __call__(self, evaluation: ModelProto) -> CalibratedMonitor:
        """Fit detector and thresholds.

        Raises:
            CalibrationError: entropies that are not finite, too few frames, or ones that the detector cannot be fitted on.
        """
        segmentation = with_outputs(evaluation, self.outputs)
        session, entropy = cpu_session(segmentation), entropy_graph(*self.shape, self.neighbors)
        entropy_session = cpu_session(entropy)

        def entropies(files: FrameFiles, what: str) -> NDArray[np.float32]:
            rows = []
            for frame in self.reporter.progress(files, what, len(files)):
                samples = run_graph(session, frame[None], self.noise.draw())["latent_samples"]
                rows.append(entropy_session.run(["entropy"], {"latent_samples": samples})[0])
            return np.concatenate(rows)

        familiar = entropies(self.frames, "calibrating")
        strange = None if self.ood is None else entropies(self.ood, "out of distribution")
        calibration = calibrate(familiar, self.drives, self.held_out, self.options, strange, self.warnings)
        detector = detector_graph(entropy, score_graph(calibration.detector, self.shape[1]))
        return CalibratedMonitor(evaluation, segmentation, detector, calibration)

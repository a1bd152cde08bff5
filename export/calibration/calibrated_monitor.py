# SPDX-License-Identifier: Apache-2.0
"""The graphs of a monitor together with the calibration that its detector comes from."""

from dataclasses import dataclass

from onnx import ModelProto

from export.calibration.calibrate import CalibrationResult


@dataclass(frozen=True, eq=False)
class CalibratedMonitor:
    """Graphs that belong together.

    Attributes:
        evaluation: the network with all outputs, see :mod:`export.graphs.evaluation_outputs`.
        segmentation: the part of it that the vehicle runs.
        detector: latent samples to entropy and score.
        calibration: the detector's, with its thresholds.
    """

    evaluation: ModelProto
    segmentation: ModelProto
    detector: ModelProto
    calibration: CalibrationResult

    @property
    def threshold(self) -> float:
        """Value of the default operating point."""
        return self.calibration.points[self.calibration.operating_point].value

# SPDX-License-Identifier: Apache-2.0
"""The graphs of a monitor together with the calibration that its detector comes from."""

from dataclasses import dataclass

from onnx import ModelProto

from export.calibration.calibrate import CalibrationResult
from export.graphs.detector import inputs_of
from export.graphs.evaluation_outputs import output_shapes


@dataclass(frozen=True, eq=False)
class CalibratedMonitor:
    """Graphs that belong together.

    Attributes:
        evaluation: the network with all outputs, see :mod:`export.graphs.evaluation_outputs`.
        segmentation: the part of it that the vehicle runs.
        detector: features to the score.
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

    @property
    def features(self) -> dict[str, tuple[int, ...]]:
        """Outputs of ``segmentation.onnx`` that the detector reads, with their shapes behind the batch."""
        shapes = output_shapes(self.segmentation)
        return {name: shapes[name] for name in inputs_of(self.calibration.detector.keys)}

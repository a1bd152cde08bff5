# SPDX-License-Identifier: Apache-2.0
"""The graphs of a monitor together with the calibration that its detector comes from."""

from dataclasses import dataclass, replace
from typing import Self

from onnx import ModelProto

from export.calibration.bundle_answers import BundleAnswers
from export.calibration.calibrate import CalibrationResult
from export.detectors.entropy_constants import MIN_DIST
from export.graphs.answered_detector import answered_detector
from export.graphs.detector import features_graph, inputs_of
from export.graphs.evaluation_outputs import EVALUATION, output_shapes, vehicle_graph
from export.graphs.fused import FUSED_FILE, fused_graph
from lsood_runtime.offline import DETECTOR_FILE, SEGMENTATION_FILE


@dataclass(frozen=True, eq=False)
class CalibratedMonitor:
    """Graphs that belong together.

    Attributes:
        evaluation: the network with all outputs, see :mod:`export.graphs.evaluation_outputs`.
        segmentation: the part of it that the vehicle runs.
        detector: features to the score.
        calibration: the detector's, with its thresholds.
        answers: beside the score, which the detector's graph gives too; None where there are none.
    """

    evaluation: ModelProto
    segmentation: ModelProto
    detector: ModelProto
    calibration: CalibrationResult
    answers: BundleAnswers | None = None

    @classmethod
    def around(
        cls, evaluation: ModelProto, calibration: CalibrationResult, neighbors: int, min_dist: float = MIN_DIST
    ) -> Self:
        """Cut the vehicle's graph out of ``evaluation.onnx``, and build the graph of the detector that reads it.

        Args:
            evaluation: the network with every feature.
            calibration: the detector's.
            neighbors: k of the entropies.
            min_dist: floor of the distances between samples.
        """
        detector = calibration.detector
        return cls(
            evaluation=evaluation,
            segmentation=vehicle_graph(evaluation, inputs_of(detector.keys)),
            detector=features_graph(detector, output_shapes(evaluation), neighbors, min_dist),
            calibration=calibration,
        )

    def answering(self, answers: BundleAnswers) -> Self:
        """The same monitor, which gives these answers too; it has given none yet."""
        read = dict.fromkeys((*inputs_of(self.calibration.detector.keys), *inputs_of(answers.keys)))
        return replace(
            self,
            segmentation=vehicle_graph(self.evaluation, tuple(read)),
            detector=answered_detector(self.detector, answers.graph),
            answers=answers,
        )

    def graphs(self, *, fuse: bool) -> dict[str, ModelProto]:
        """The graphs of a bundle by the names of their files; ``fuse`` adds network and detector in one."""
        graphs = {SEGMENTATION_FILE: self.segmentation, DETECTOR_FILE: self.detector, EVALUATION: self.evaluation}
        if fuse:
            graphs[FUSED_FILE] = fused_graph(self.segmentation, self.detector)
        return graphs

    @property
    def threshold(self) -> float:
        """Value of the default operating point."""
        return self.calibration.points[self.calibration.operating_point].value

    @property
    def features(self) -> dict[str, tuple[int, ...]]:
        """Outputs of ``segmentation.onnx`` that the detector's graph reads, with their shapes behind the batch."""
        shapes = output_shapes(self.segmentation)
        return {value.name: shapes[value.name] for value in self.detector.graph.input}

# SPDX-License-Identifier: Apache-2.0
"""The answers of a bundle: their graph, the features that it reads, and what the manifest states of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from onnx import ModelProto

from export.answers.fit import FittedAnswers
from export.calibration.quality_rates import with_rate_intervals
from export.features.key import FeatureKey
from export.graphs.answered_detector import answers_of, own_names
from export.graphs.answers import answers_graph
from lsood_runtime.offline import AnswersRecord


@dataclass(frozen=True, eq=False)
class BundleAnswers:
    """Answers beside the score.

    Attributes:
        graph: features to the answers.
        keys: of the features that it reads.
        record: for the manifest.
    """

    graph: ModelProto
    keys: tuple[FeatureKey, ...]
    record: AnswersRecord

    @classmethod
    def of(cls, fitted: FittedAnswers, widths: Mapping[FeatureKey, int]) -> Self:
        """Build the graph of fitted answers.

        Args:
            fitted: the answers.
            widths: numbers a frame of each feature that they read.
        """
        return cls(own_names(answers_graph(fitted, widths)), tuple(fitted.keys), with_rate_intervals(fitted.record))

    @classmethod
    def kept(cls, detector: ModelProto, record: AnswersRecord) -> Self:
        """Take the answers of a bundle as they are.

        Args:
            detector: of the bundle, with the answers.
            record: of its manifest.
        """
        graph = answers_of(detector)
        return cls(graph, tuple(FeatureKey.parse(value.name) for value in graph.graph.input), record)

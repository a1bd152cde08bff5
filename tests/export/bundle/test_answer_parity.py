# SPDX-License-Identifier: Apache-2.0
"""The graph of an anomaly map is accepted within rounding, also where its terms nearly cancel, and no other graph is."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest

from export.answers.maps import FittedMap, MapHead
from export.answers.pixel_scores import HEAD
from export.bundle.answer_parity import MAP_TOLERANCE, check_map_graph, moved_by_rounding
from export.calibration.bundle_answers import BundleAnswers
from export.errors import ParityError
from export.features.key import FeatureKey
from lsood_runtime.offline import AnswersRecord
from tests.export.graphs.test_anomaly_map import Rows, draw_map, draw_values, map_model, run_map
from tests.export.graphs.test_class_confidence import confidence_model

GRID = (6, 10)


@dataclass(frozen=True)
class MapAlone:
    """What the comparison reads of a record: one map whose limit is 1, and no confidence."""

    confidence: None = None

    def ranges(self) -> dict[str, float]:
        return {"anomaly_map": 1.0}


@dataclass(frozen=True)
class Temperature:
    temperature: float


@dataclass(frozen=True)
class MapWithConfidence:
    """What the comparison reads of a record of a map and of the confidence of its classes."""

    confidence: Temperature

    def ranges(self) -> dict[str, float]:
        return {"anomaly_map": 1.0, "class_confidence": 1.0}


def answers_with(fitted: FittedMap, graph_of: FittedMap) -> BundleAnswers:
    return BundleAnswers(map_model(graph_of), fitted.keys, cast(AnswersRecord, MapAlone()))


def cancelling_map(size: float) -> tuple[FittedMap, Rows]:
    """A head over one layer whose channels lie about a large mean, which its offset takes away again."""
    key, rng = FeatureKey.feature_map("layer", *GRID), np.random.default_rng(3)
    weights = rng.normal(size=40)
    head = MapHead(np.zeros(4), {key: weights}, -size * float(weights.sum()))
    fitted = FittedMap(FeatureKey.logit_map(*GRID), {HEAD: 1.0}, 0.0, 1, np.zeros(4), np.ones(4), head)
    cells = GRID[0] * GRID[1]
    layer = (size + rng.normal(size=(3, 40 * cells)) / 10).astype(np.float32)
    return fitted, {fitted.key: np.zeros((3, 4 * cells), np.float32), key: layer}


def test_map_whose_terms_nearly_cancel_is_accepted_beyond_the_plain_tolerance() -> None:
    fitted, values = cancelling_map(300.0)
    apart = np.abs(run_map(map_model(fitted), fitted, values) - fitted.anomaly_map(values)).max()
    assert apart > MAP_TOLERANCE
    check_map_graph(answers_with(fitted, fitted), fitted, values)


def test_map_that_rounding_moves_further_than_a_monitor_allows_is_refused() -> None:
    fitted, values = cancelling_map(1e5)
    with pytest.raises(ParityError, match=r"within 0\.005 of its limit"):
        check_map_graph(answers_with(fitted, fitted), fitted, values)


@pytest.mark.parametrize("seed", range(3))
def test_graph_of_other_weights_is_refused(seed: int) -> None:
    fitted = draw_map(seed, (HEAD, "energy"), 4, GRID, 3)
    values = draw_values(fitted, 2, seed)
    check_map_graph(answers_with(fitted, fitted), fitted, values)
    other = replace(fitted, slopes={**fitted.slopes, HEAD: fitted.slopes[HEAD] * 1.001})
    with pytest.raises(ParityError, match="graph of the anomaly map within"):
        check_map_graph(answers_with(fitted, other), fitted, values)


def test_confidence_is_allowed_nothing_of_what_rounding_makes_of_the_map() -> None:
    """The energy of logits of about 3,000 is rounded by more than the confidence of a wrong temperature is wrong."""
    fitted = draw_map(0, ("energy",), 4, GRID, 3)
    values = {key: 3000 + rows for key, rows in draw_values(fitted, 2, 0).items()}
    graph = confidence_model(fitted, 1.0)
    assert MAP_TOLERANCE + moved_by_rounding(fitted, values, fitted.anomaly_map(values)) > 1e-3

    def check(temperature: float) -> None:
        record = cast(AnswersRecord, MapWithConfidence(Temperature(temperature)))
        check_map_graph(BundleAnswers(graph, fitted.keys, record), fitted, values)

    check(1.0)
    with pytest.raises(ParityError, match=r"confidence of classes within 0\.0001, got a difference of 0\.000"):
        check(1.002)


def test_movement_by_rounding_is_that_of_the_numbers_read() -> None:
    fitted, values = cancelling_map(100.0)
    assert fitted.head is not None
    (weights,) = fitted.head.layers.values()
    moved = moved_by_rounding(fitted, values, fitted.anomaly_map(values))
    spread = 100.0 * 2.0**-20 / np.sqrt(3) * np.linalg.norm(weights)  # deviation of a sum of uniform changes
    assert spread < moved < 6 * spread

# SPDX-License-Identifier: Apache-2.0
"""Choose which scores an anomaly map is the sum of, by objects unlike those of the fit on frames that fitted nothing.

A candidate is one standardised score or the sum of two, the head once or twice in it, raw or smoothed. They are ranked by
average precision. The head is one of as few layers as come near the best one. Of candidates that come near the best, a sum
goes before a single score: what a head has learned from pasted objects may not hold of real ones, and so a score that has
learned nothing stands beside it.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from export.answers.map_head import Layers
from export.answers.maps import smoothed
from export.answers.pixel_scores import HEAD, OUTPUT_PIXEL_SCORES

SMOOTHINGS = (1, 3, 5)
"""Sides of the square that a map is averaged over, cells."""

NEAR = 0.01
"""Average precision that fewer layers, or a sum, may cost."""

KEPT = 0.95
"""Share of the objects' cells above the value at which other cells are counted."""

OWN = tuple(((name, 1.0),) for name in OUTPUT_PIXEL_SCORES)
"""Scores of the network's own output, each alone."""

HEAD_WEIGHTS = (1.0, 2.0)
"""Of the head in a sum with another score, whose weight is 1."""

ScoreMaps = Mapping[str, NDArray[np.float32]]
"""``(N, h, w)`` of each score."""


@dataclass(frozen=True, eq=False)
class JudgedFrames:
    """Scores of frames that fitted nothing.

    Attributes:
        clean: ``(N, h, w)`` of each score of the network's output, of clean frames.
        pasted: ``(P, h, w)`` of frames with objects.
        clean_heads: ``(N, h, w)`` of the head with each choice of layers.
        pasted_heads: ``(P, h, w)``.
        unknown: ``(P, h, w)`` bool: under an object; some cells are, some are not.
        known: ``(P, h, w)`` bool: free of objects; cells at the edge of one are neither.
    """

    clean: ScoreMaps
    pasted: ScoreMaps
    clean_heads: Mapping[Layers, NDArray[np.float32]]
    pasted_heads: Mapping[Layers, NDArray[np.float32]]
    unknown: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def has_both(self) -> bool:
        """Whether there are cells under objects, and others."""
        return bool(self.unknown.any() and self.known.any())

    def chosen(self, frames: NDArray[np.bool_]) -> "JudgedFrames":
        """Some of the frames, ``(P,)``; there are as many clean ones as ones with objects, in the same order."""
        own: list[dict[str, NDArray[np.float32]]] = [
            {name: maps[frames] for name, maps in scores.items()} for scores in (self.clean, self.pasted)
        ]
        heads: list[dict[Layers, NDArray[np.float32]]] = [
            {layers: maps[frames] for layers, maps in scores.items()}
            for scores in (self.clean_heads, self.pasted_heads)
        ]
        return JudgedFrames(own[0], own[1], heads[0], heads[1], self.unknown[frames], self.known[frames])

    def average_precision(self, maps: NDArray[np.floating]) -> float:
        """Of maps ``(P, h, w)``."""
        counted = self.unknown | self.known
        return float(average_precision_score(self.unknown[counted], maps[counted]))

    def false_positives(self, maps: NDArray[np.floating]) -> float:
        """Share of the other cells at or above the value that :data:`KEPT` of the objects' cells reach."""
        own = np.sort(maps[self.unknown])
        value = own[int((1 - KEPT) * len(own) + _ROUNDING)]
        return float((maps[self.known] >= value).mean())


@dataclass(frozen=True)
class MapChoice:
    """What an anomaly map is made of.

    Attributes:
        slopes: of each score.
        offset: added to the weighted sum, which has a mean of 0 and a deviation of 1 over clean frames, once smoothed.
        smoothing: side of the square it is averaged over, cells.
        layers: that the head reads; None where it is left out.
        average_precision: on the frames that it was chosen by.
        false_positives: there, at :data:`KEPT`.
        best_single: name of the network's own score with the largest average precision.
        best_single_smoothing: with which it is.
        best_single_average_precision: raw or smoothed, whichever is larger.
        best_single_false_positives: of the same.
    """

    slopes: dict[str, float]
    offset: float
    smoothing: int
    layers: Layers | None
    average_precision: float
    false_positives: float
    best_single: str
    best_single_smoothing: int
    best_single_average_precision: float
    best_single_false_positives: float


_LEAST_DEVIATION = 1e-9
_ROUNDING = 1e-9


def choose_map(judged: JudgedFrames) -> MapChoice:
    """Choose scores, layers of the head, and smoothing."""
    layers = _head_layers(judged)
    clean = {**judged.clean, HEAD: judged.clean_heads[layers]}
    pasted = {**judged.pasted, HEAD: judged.pasted_heads[layers]}
    units = {name: (float(maps.mean()), max(float(maps.std()), _LEAST_DEVIATION)) for name, maps in clean.items()}

    def summed(maps: ScoreMaps, candidate: _Candidate) -> NDArray[np.float64]:
        total = sum(
            weight * (maps[name].astype(np.float64) - units[name][0]) / units[name][1]
            for name, weight in candidate.weights
        )
        return smoothed(np.asarray(total), candidate.smoothing)

    singles = [((name, 1.0),) for name in clean]
    pairs = [
        ((first, 1.0), (second, weight))
        for first, second in itertools.combinations(clean, 2)
        for weight in (HEAD_WEIGHTS if second == HEAD else (1.0,))
    ]
    candidates = [_Candidate(weights, side) for weights in (*singles, *pairs) for side in SMOOTHINGS]
    precision = {one: judged.average_precision(summed(pasted, one)) for one in candidates}
    near = max(precision.values()) - NEAR
    best = max(candidates, key=lambda one: (precision[one] >= near, len(one.weights), precision[one]))
    own = max((one for one in candidates if one.weights in OWN), key=lambda one: precision[one])
    over_clean = summed(clean, best)
    centre, scale = float(over_clean.mean()), max(float(over_clean.std()), _LEAST_DEVIATION)
    return MapChoice(
        slopes={name: weight / (units[name][1] * scale) for name, weight in best.weights},
        offset=(-sum(weight * units[name][0] / units[name][1] for name, weight in best.weights) - centre) / scale,
        smoothing=best.smoothing,
        layers=layers if HEAD in dict(best.weights) else None,
        average_precision=precision[best],
        false_positives=judged.false_positives(summed(pasted, best)),
        best_single=own.weights[0][0],
        best_single_smoothing=own.smoothing,
        best_single_average_precision=precision[own],
        best_single_false_positives=judged.false_positives(summed(pasted, own)),
    )


def _head_layers(judged: JudgedFrames) -> Layers:
    """The fewest layers whose head comes near the best one."""
    precision = {layers: judged.average_precision(maps) for layers, maps in judged.pasted_heads.items()}
    near = max(precision.values()) - NEAR
    return max(precision, key=lambda layers: (precision[layers] >= near, -len(layers), precision[layers]))


@dataclass(frozen=True)
class _Candidate:
    weights: tuple[tuple[str, float], ...]
    smoothing: int

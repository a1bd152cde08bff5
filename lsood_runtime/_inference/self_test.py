# SPDX-License-Identifier: Apache-2.0
"""Replay golden frames on the machine that runs them, and compare scores, class maps and answers with those at export."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._bundle.answers_records import ANOMALY_MAP
from lsood_runtime._bundle.golden import GoldenFrames
from lsood_runtime._bundle.records import noise_name
from lsood_runtime._exceptions import ProviderError, SelfTestError
from lsood_runtime._inference.frame_pass import Outcome
from lsood_runtime._inference.loaded_graphs import LoadedGraphs
from lsood_runtime._inference.placement import Placement, node_counts
from lsood_runtime._inference.providers import CPU
from lsood_runtime._inference.time_limit import TimeLimit
from lsood_runtime._maps.regions import find_regions
from lsood_runtime._segmentation_classes import segmentation_classes

_MAP_CELLS = 0.01
"""Share of the cells of an anomaly map that may differ by any amount, in regions that are smaller than any object."""

_SUM_TOLERANCE = 1e-9
_SECONDS_ON_CPU, _SECONDS_ELSEWHERE = 60.0, 1800.0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Result of replaying the golden frames on the provider in use; scores in the unit of the detector.

    Attributes:
        provider: that ran.
        scores: of the golden frames; NaN for one whose parts are not finite, or do not add up to its score.
        expected: their scores at export.
        tolerance: how far a score may be off.
        placement: nodes of both graphs by provider, as the live sessions tell; empty where this ONNX Runtime does not.
        placements: the same of each graph, by its file, and there by provider and operator.
        pixel_changes: share of the pixels of each golden frame that get another class than at export; empty where the bundle
            does not keep its class maps.
        pixel_tolerance: how large such a share may be.
        answer_errors: largest distance of an answer on each golden frame from the one at export, as a share of what the
            answer ranges over; NaN where it is no number; empty where the bundle answers nothing beside the score.
        answer_tolerance: how large such a share may be.
    """

    provider: str
    scores: tuple[float, ...]
    expected: tuple[float, ...]
    tolerance: float
    placement: dict[str, int]
    placements: Mapping[str, Placement]
    pixel_changes: tuple[float, ...] = ()
    pixel_tolerance: float = 0.0
    answer_errors: tuple[float, ...] = ()
    answer_tolerance: float = 0.0

    @property
    def errors(self) -> tuple[float, ...]:
        """Distance of each score from the one at export; NaN where a score is no number."""
        return tuple(abs(score - expected) for score, expected in zip(self.scores, self.expected, strict=True))

    @property
    def passed(self) -> bool:
        """Whether every score, every class map and every answer lies within its tolerance."""
        return (
            all(error <= self.tolerance for error in self.errors)
            and all(share <= self.pixel_tolerance for share in self.pixel_changes)
            and all(share <= self.answer_tolerance for share in self.answer_errors)
        )

    def require(self) -> None:
        """Raise where the test has failed.

        Raises:
            SelfTestError: a score, a class map or an answer lies outside its tolerance.
        """
        for i, error in enumerate(self.errors):
            if not error <= self.tolerance:
                raise SelfTestError(
                    f"expected golden frame {i} to score {self.expected[i]:.6g} within {self.tolerance:.3g}, got "
                    f"{self.scores[i]:.6g} on {self.provider}: this machine computes other scores than the exporter; "
                    "do not rely on it, try another provider or export the bundle again"
                )
        for i, share in enumerate(self.pixel_changes):
            if not share <= self.pixel_tolerance:
                raise SelfTestError(
                    f"expected golden frame {i} to have its classes but for {self.pixel_tolerance:.2%} of its pixels, got "
                    f"{share:.2%} of another class on {self.provider}: this machine computes another segmentation than "
                    "the exporter; do not rely on it, try another provider or export the bundle again"
                )
        for i, share in enumerate(self.answer_errors):
            if not share <= self.answer_tolerance:
                raise SelfTestError(
                    f"expected the answers on golden frame {i} within {self.answer_tolerance:.2%} of their ranges, got "
                    f"{share:.2%} on {self.provider}: this machine computes other answers than the exporter; do not rely on "
                    "it, try another provider or export the bundle again"
                )


def default_seconds(provider: str) -> float:
    """Time that the golden frames may take where the caller does not say: providers of GPUs prepare in the first run."""
    return _SECONDS_ON_CPU if provider == CPU else _SECONDS_ELSEWHERE


def replay(graphs: LoadedGraphs, golden: GoldenFrames, batch: int | None, seconds: float | None = None) -> SelfTest:
    """Score the golden frames, each filling a ``batch`` of its own.

    Args:
        graphs: both graphs.
        golden: the frames.
        batch: frames of every run; None for one.
        seconds: that all frames may take; None for what the provider usually needs at most.

    Raises:
        ProviderError: ONNX Runtime failed.
        SelfTestError: the time was over.
    """
    with TimeLimit(seconds or default_seconds(graphs.provider)) as limit:
        try:
            outcomes = [_golden_outcome(graphs, golden, i, batch, limit.run_options) for i in range(len(golden))]
        except ProviderError as error:
            if limit.is_over:
                raise _overtime(graphs, golden, limit) from error
            raise
        if limit.is_over:
            raise _overtime(graphs, golden, limit)
    kind = "cpu" if graphs.provider == CPU else "gpu"
    return SelfTest(
        provider=graphs.provider,
        scores=tuple(map(_score, outcomes)),
        expected=tuple(golden.scores.tolist()),
        tolerance=golden.tolerance[kind],
        placement=node_counts(list(graphs.placements.values())),
        placements=graphs.placements,
        pixel_changes=_pixel_changes(outcomes, golden),
        pixel_tolerance=golden.pixel_changes.get(kind, 0.0),
        answer_errors=_answer_errors(outcomes, golden),
        answer_tolerance=golden.answer_tolerance.get(kind, 0.0),
    )


def _overtime(graphs: LoadedGraphs, golden: GoldenFrames, limit: TimeLimit) -> SelfTestError:
    return SelfTestError(
        f"expected the {len(golden)} golden frames within {limit.seconds:g} s, they take longer on {graphs.provider}: "
        "pass a larger self_test_seconds if this machine is so slow"
    )


def golden_score(graphs: LoadedGraphs, golden: GoldenFrames, index: int, batch: int | None) -> float:
    """Score of one golden frame; NaN where its parts are not finite, or do not add up to it.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    return _score(_golden_outcome(graphs, golden, index, batch))


def _golden_outcome(
    graphs: LoadedGraphs,
    golden: GoldenFrames,
    index: int,
    batch: int | None,
    run_options: ort.RunOptions | None = None,
) -> Outcome:
    copies, pick = batch or 1, slice(index, index + 1)
    noise = {noise_name(site): np.repeat(values[pick], copies, axis=0) for site, values in enumerate(golden.noise)}
    return graphs.frame_pass.run(np.repeat(golden.frames[pick], copies, axis=0), noise, run_options)


def _score(outcome: Outcome) -> float:
    score = float(outcome.scores[0])
    return score if outcome.parts is None or _adds_up(outcome.parts[0], score) else math.nan


def _pixel_changes(outcomes: Sequence[Outcome], golden: GoldenFrames) -> tuple[float, ...]:
    """Share of pixels of another class, frame by frame; 1 where a segmentation has another size."""
    if golden.classes is None:
        return ()
    shares = []
    for outcome, expected in zip(outcomes, golden.classes, strict=True):
        got = None if outcome.segmentation is None else outcome.segmentation[0]
        classes = None if got is None else segmentation_classes(got)
        unlike = classes is None or classes.shape != expected.shape
        shares.append(1.0 if unlike else float((classes != expected).mean()))
    return tuple(shares)


def _answer_errors(outcomes: Sequence[Outcome], golden: GoldenFrames) -> tuple[float, ...]:
    """Largest distance of an answer from that at export, frame by frame, as a share of its range; NaN where one is none."""
    if not golden.answers:
        return ()
    shares = []
    for i, outcome in enumerate(outcomes):
        errors = [
            _distance(name, outcome.answers[name][0], expected[i], golden.smallest_object) / golden.answer_ranges[name]
            for name, expected in golden.answers.items()
        ]
        shares.append(float(np.max(errors)))
    return tuple(shares)


def _distance(name: str, got: NDArray[np.floating], expected: NDArray[np.floating], smallest_object: int) -> float:
    """Largest distance of an answer from that at export; of a map but for a few cells, NaN where any cell is none.

    Where two classes are all but equally likely, another machine may choose the other one, and what the map makes of the
    boundary there is another number: as with the class map itself, a share of the cells may differ. Cells that touch and are
    together as large as the smallest object may not, however few they are: they can be an object, or hide one.
    """
    apart = np.abs(got - expected)
    if name != ANOMALY_MAP:
        return float(apart.max())
    usual = float(np.quantile(apart, 1 - _MAP_CELLS))
    values = np.unique(apart[apart > usual])
    low, high = -1, len(values) - 1
    while low < high:  # cells at least values[low] apart make up such a region, those at least values[high + 1] do not
        middle = (low + high + 1) // 2
        sizes = find_regions(apart >= values[middle]).sizes()
        low, high = (middle, high) if sizes.max(initial=0) >= smallest_object else (low, middle - 1)
    return float(values[low]) if low >= 0 else usual


def _adds_up(parts: NDArray[np.float64], score: float) -> bool:
    """Whether the parts are finite and their sum is the score: one that is left out of it could never raise it."""
    allowed = _SUM_TOLERANCE * max(1.0, float(np.abs(parts).sum()))
    return bool(abs(float(parts.sum()) - score) <= allowed)

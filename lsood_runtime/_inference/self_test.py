# SPDX-License-Identifier: Apache-2.0
"""Replay golden frames on the machine that runs them, and compare their scores with those at export."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.golden import GoldenFrames
from lsood_runtime._bundle.records import noise_name
from lsood_runtime._exceptions import SelfTestError
from lsood_runtime._inference.loaded_graphs import LoadedGraphs
from lsood_runtime._inference.providers import CPU

_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Result of replaying the golden frames on the provider in use; scores in the unit of the detector.

    Attributes:
        provider: that ran.
        scores: of the golden frames; NaN for one whose parts are not finite, or do not add up to its score.
        expected: their scores at export.
        tolerance: how far a score may be off.
        placement: nodes of both graphs by provider; empty where this ONNX Runtime does not report them.
    """

    provider: str
    scores: tuple[float, ...]
    expected: tuple[float, ...]
    tolerance: float
    placement: dict[str, int]

    @property
    def errors(self) -> tuple[float, ...]:
        """Distance of each score from the one at export; NaN where a score is no number."""
        return tuple(abs(score - expected) for score, expected in zip(self.scores, self.expected, strict=True))

    @property
    def passed(self) -> bool:
        """Whether every score lies within the tolerance."""
        return all(error <= self.tolerance for error in self.errors)

    def require(self) -> None:
        """Raise where the test has failed.

        Raises:
            SelfTestError: a score lies outside the tolerance.
        """
        for i, error in enumerate(self.errors):
            if not error <= self.tolerance:
                raise SelfTestError(
                    f"expected golden frame {i} to score {self.expected[i]:.6g} within {self.tolerance:.3g}, got "
                    f"{self.scores[i]:.6g} on {self.provider}: this machine computes other scores than the exporter; "
                    "do not rely on it, try another provider or export the bundle again"
                )


def replay(graphs: LoadedGraphs, golden: GoldenFrames, batch: int | None) -> SelfTest:
    """Score the golden frames, each filling a ``batch`` of its own.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    return SelfTest(
        provider=graphs.provider,
        scores=tuple(golden_score(graphs, golden, i, batch) for i in range(len(golden))),
        expected=tuple(golden.scores.tolist()),
        tolerance=golden.tolerance["cpu" if graphs.provider == CPU else "gpu"],
        placement=graphs.placement,
    )


def golden_score(graphs: LoadedGraphs, golden: GoldenFrames, index: int, batch: int | None) -> float:
    """Score of one golden frame; NaN where its parts are not finite, or do not add up to it.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    copies, pick = batch or 1, slice(index, index + 1)
    noise = {noise_name(site): np.repeat(values[pick], copies, axis=0) for site, values in enumerate(golden.noise)}
    outcome = graphs.frame_pass.run(np.repeat(golden.frames[pick], copies, axis=0), noise)
    score = float(outcome.scores[0])
    return score if outcome.parts is None or _adds_up(outcome.parts[0], score) else math.nan


def _adds_up(parts: NDArray[np.float64], score: float) -> bool:
    """Whether the parts are finite and their sum is the score: one that is left out of it could never raise it."""
    allowed = _SUM_TOLERANCE * max(1.0, float(np.abs(parts).sum()))
    return bool(abs(float(parts.sum()) - score) <= allowed)

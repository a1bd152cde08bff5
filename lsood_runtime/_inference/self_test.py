# SPDX-License-Identifier: Apache-2.0
"""Replay golden frames on the machine that runs them, and compare their scores with those at export."""

import math
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._bundle.golden import GoldenFrames
from lsood_runtime._bundle.records import noise_name
from lsood_runtime._exceptions import ProviderError, SelfTestError
from lsood_runtime._inference.loaded_graphs import LoadedGraphs
from lsood_runtime._inference.providers import CPU
from lsood_runtime._inference.time_limit import TimeLimit

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
            scores = [golden_score(graphs, golden, i, batch, limit.run_options) for i in range(len(golden))]
        except ProviderError as error:
            if not limit.is_over:
                raise
            raise SelfTestError(
                f"expected the {len(golden)} golden frames within {limit.seconds:g} s, they take longer on "
                f"{graphs.provider}: pass a larger self_test_seconds if this machine is so slow"
            ) from error
    return SelfTest(
        provider=graphs.provider,
        scores=tuple(scores),
        expected=tuple(golden.scores.tolist()),
        tolerance=golden.tolerance["cpu" if graphs.provider == CPU else "gpu"],
        placement=graphs.placement,
    )


def golden_score(
    graphs: LoadedGraphs,
    golden: GoldenFrames,
    index: int,
    batch: int | None,
    run_options: ort.RunOptions | None = None,
) -> float:
    """Score of one golden frame; NaN where its parts are not finite, or do not add up to it.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    copies, pick = batch or 1, slice(index, index + 1)
    noise = {noise_name(site): np.repeat(values[pick], copies, axis=0) for site, values in enumerate(golden.noise)}
    outcome = graphs.frame_pass.run(np.repeat(golden.frames[pick], copies, axis=0), noise, run_options)
    score = float(outcome.scores[0])
    return score if outcome.parts is None or _adds_up(outcome.parts[0], score) else math.nan


def _adds_up(parts: NDArray[np.float64], score: float) -> bool:
    """Whether the parts are finite and their sum is the score: one that is left out of it could never raise it."""
    allowed = _SUM_TOLERANCE * max(1.0, float(np.abs(parts).sum()))
    return bool(abs(float(parts.sum()) - score) <= allowed)

# SPDX-License-Identifier: Apache-2.0
"""The result of assessing a frame: its state and its verdict."""

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._text.json_values import JsonScalar, finite_or_none


class State(StrEnum):
    """The state of a frame."""

    OK = "ok"
    """In distribution."""
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    """The score is above the threshold."""
    INVALID = "invalid"
    """Not a frame of a working camera, or no finite score: treat it as out of distribution."""
    LATE = "late"
    """The verdict came after the deadline; score and p-value still hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The verdict on one frame.

    Attributes:
        score: in the unit of the detector, nats for densities; higher is further from the training distribution; ``inf``
            where there is no finite number.
        p_value: share of in-distribution frames that score at least as high, in (0, 1]; NaN where the score is not finite.
        is_ood: the score is above the threshold, or the state is INVALID.
        threshold: in the unit of the score.
        segmentation: ``(h, w)`` uint8 classes or ``(K, h, w)`` float32 logits; None where the bundle has none, or the graphs
            did not run.
        state: INVALID goes before LATE, LATE before OUT_OF_DISTRIBUTION.
        reason: why the state is not OK, in one sentence; empty where it is OK.
        provider: the execution provider that ran.
        latency_ms: from the call to the verdict, milliseconds.
        stamp_ns: of the frame, nanoseconds on the caller's clock; where none was given, of the call since the epoch.
    """

    score: float
    p_value: float
    is_ood: bool
    threshold: float
    segmentation: NDArray[np.uint8] | NDArray[np.float32] | None
    state: State
    reason: str
    provider: str
    latency_ms: float
    stamp_ns: int

    def asdict(self) -> dict[str, JsonScalar]:
        """JSON-ready values, the segmentation left out; numbers that are not finite become None."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "segmentation"}
        finite = {"score": finite_or_none(self.score), "p_value": finite_or_none(self.p_value)}
        return values | finite | {"state": self.state.value}

    def __str__(self) -> str:
        """One line for a log."""
        return (
            f"{self.state.value} score={self.score:.3f} threshold={self.threshold:.3f} p={self.p_value:.4f} "
            f"{self.latency_ms:.1f} ms {self.provider}" + (f": {self.reason}" if self.reason else "")
        )

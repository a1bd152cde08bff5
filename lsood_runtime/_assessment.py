# SPDX-License-Identifier: Apache-2.0
"""What the monitor says of a frame."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class State(StrEnum):
    """What to make of a frame."""

    OK = "ok"
    """In distribution."""
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    """The score is above the threshold."""
    INVALID = "invalid"
    """The score is not a finite number: treat the frame as out of distribution, and the monitor as ill."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The verdict on one frame.

    Attributes:
        score: in the unit of the detector, nats for densities; higher is further from the training distribution; ``inf``
            where the graphs gave no finite number.
        p_value: share of in-distribution frames that score at least as high, in (0, 1]; NaN where the state is INVALID.
        is_ood: the score is above the threshold, as it always is where the state is INVALID.
        threshold: in the unit of the score.
        segmentation: ``(h, w)`` uint8 classes or ``(K, h, w)`` float32 logits; None where the bundle has none.
        state: the verdict in one word.
        provider: the execution provider that ran.
        latency_ms: from the call to the verdict, milliseconds.
    """

    score: float
    p_value: float
    is_ood: bool
    threshold: float
    segmentation: NDArray[np.uint8] | NDArray[np.float32] | None
    state: State
    provider: str
    latency_ms: float

    def asdict(self) -> dict[str, Any]:
        """JSON-ready values, the segmentation left out; numbers that are not finite become None."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "segmentation"}
        for name in ("score", "p_value"):
            values[name] = values[name] if np.isfinite(values[name]) else None
        return values | {"state": self.state.value}

    def __str__(self) -> str:
        """One line for a log."""
        return (
            f"{self.state.value} score={self.score:.3f} threshold={self.threshold:.3f} p={self.p_value:.4f} "
            f"{self.latency_ms:.1f} ms {self.provider}"
        )

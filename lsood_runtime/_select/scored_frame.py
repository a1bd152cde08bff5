# SPDX-License-Identifier: Apache-2.0
"""A scored frame that may be picked, and the terms by which one frame is more relevant than another."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Key: TypeAlias = tuple[float, float, bytes]
"""Order of frames by a term: its value, then the score, then the digest, so that no two frames are equal."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFrame:
    """One row of verdicts.

    Attributes:
        frame: name of the frame, as the row has it.
        drive: that it belongs to.
        source: of the row: the drive that it names, or the file of rows, so that the frames of two vehicles differ whose
            images have the same names.
        camera: that sent it; empty where the row names none.
        stamp_ns: nanoseconds; None where the row has none.
        score: finite; higher is further from the training distribution.
        expected_quality: in [0, 1]; NaN where it is unknown or not told.
        cause: kind of degradation, ``none`` or ``unknown``; empty where the rows tell none.
        object_count: unknown objects; 0 where none is told.
        largest_peak: of the clearest object; NaN where there is none.
        features: ``(D,)`` float32, finite.
        seed: of the order among equals.
        identity: 16 bytes that tell this frame from others, a number of chance by the seed.
        digest: 16 bytes of the identity and of the features: the same frame under another bundle has another one.
    """

    frame: str
    drive: str
    source: str
    camera: str
    stamp_ns: int | None
    score: float
    expected_quality: float
    cause: str
    object_count: int
    largest_peak: float
    features: NDArray[np.float32]
    seed: int = 0
    identity: bytes = field(init=False)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        who = "\0".join(map(str, (self.seed, self.source, self.drive, self.camera, self.frame, self.stamp_ns)))
        identity = blake2b(who.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        told = repr((self.score, self.expected_quality, self.cause, self.object_count, self.largest_peak)).encode()
        digest = blake2b(identity + told + self.features.tobytes(), digest_size=16).digest()
        object.__setattr__(self, "identity", identity)
        object.__setattr__(self, "digest", digest)

    def key(self, term: str) -> Key:
        """The frame's place in the order by a term, the most relevant last."""
        return TERMS[term].value(self), self.score, self.digest


@dataclass(frozen=True, slots=True)
class Term:
    """A reason for which a frame is worth a label.

    Attributes:
        columns: of the rows that it needs.
        value: of a frame, higher is more relevant; NaN where the frame is no candidate by this term.
        values: the same of many rows: of their columns as arrays.
        words: what the term says of a frame.
    """

    columns: tuple[str, ...]
    value: Callable[[ScoredFrame], float]
    values: Callable[..., NDArray[np.float64]]
    words: Callable[[ScoredFrame], str]


def _doubt(expected: float) -> float:
    """1 for the quality 0, and for an unknown one: the frame is far from everything that the bundle has seen."""
    return 1.0 if math.isnan(expected) else 1.0 - expected


def _doubts(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(expected), 1.0, 1.0 - expected)


def _quality_words(frame: ScoredFrame) -> str:
    expected = frame.expected_quality
    return "unknown quality" if math.isnan(expected) else f"low expected quality {expected:.3g}"


def _peaks(count: NDArray[np.float64], peak: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(count > 0, peak, np.nan)


TERMS = {
    "score": Term(
        ("score",),
        lambda frame: frame.score,
        lambda score: score,
        lambda frame: f"high score {frame.score:.4g}",
    ),
    "quality": Term(("expected_quality",), lambda frame: _doubt(frame.expected_quality), _doubts, _quality_words),
    "objects": Term(
        ("object_count", "largest_peak"),
        lambda frame: frame.largest_peak if frame.object_count > 0 else math.nan,
        _peaks,
        lambda frame: f"unknown objects {frame.object_count}, the clearest with a peak of {frame.largest_peak:.3g}",
    ),
}
"""The terms by name, in the order in which they take turns."""

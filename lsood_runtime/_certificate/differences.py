# SPDX-License-Identifier: Apache-2.0
"""Compare the verdicts of two monitors of one bundle, frame by frame."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment

MOST_NAMED = 100
"""Flipped frames that a certificate names."""

_NUMBERS = ("score", "p_value", "expected_quality", "quality_low", "quality_high", "cause_probability", "severity")
_ARRAYS = ("tile_values", "anomaly_map")
_WORDS = ("cause", "object_count")


@dataclass(frozen=True, slots=True)
class FlippedFrame:
    """A frame in another state than the CPU provider's, with both scores; None for one that is not finite."""

    frame: str
    cpu_state: str
    state: str
    cpu_score: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class LargestDifference:
    """The largest distance of a number from that on the CPU provider.

    Attributes:
        largest: over all frames, cells and tiles, in the unit of the number.
        frame: on which it was.
        unlike: frames on which one of the two gave a number and the other none.
    """

    largest: float
    frame: str
    unlike: int


@dataclass(frozen=True, slots=True)
class ClassMapChanges:
    """Pixels of another class than on the CPU provider.

    Attributes:
        frames: whose class maps were compared.
        changed_pixels: share of all pixels.
        largest_of_a_frame: largest share of a frame's pixels.
        frame: that has it; empty where no pixel changed.
    """

    frames: int
    changed_pixels: float
    largest_of_a_frame: float
    frame: str


class Differences:
    """Adds up how the verdicts of a provider differ from those of the CPU provider.

    Attributes:
        frames: that were compared.
        flips: frames in another state; the first hundred.
        flip_count: of all of them.
        changed_words: frames of another cause, or another number of unknown objects, by the name of the answer.
    """

    def __init__(self) -> None:
        self.frames = self.flip_count = 0
        self.flips: list[FlippedFrame] = []
        self.changed_words: dict[str, int] = {}
        self._numbers: dict[str, LargestDifference] = {}
        self._pixel_shares: list[tuple[str, float]] = []

    def add(self, name: str, cpu: Assessment, other: Assessment) -> None:
        """Take in both verdicts on a frame."""
        self.frames += 1
        if cpu.state != other.state:
            self.flip_count += 1
            if len(self.flips) < MOST_NAMED:
                scores = [score if math.isfinite(score) else None for score in (cpu.score, other.score)]
                self.flips.append(FlippedFrame(name, str(cpu.state), str(other.state), *scores))
        for field, expected, got in _numbers(cpu, other):
            self._numbers[field] = _larger(self._numbers.get(field), name, expected, got)
        for field in _WORDS:
            if getattr(cpu, field) is not None or getattr(other, field) is not None:
                self.changed_words[field] = self.changed_words.get(field, 0) + (
                    getattr(cpu, field) != getattr(other, field)
                )
        if cpu.segmentation is not None and other.segmentation is not None:
            changed = _classes(cpu.segmentation) != _classes(other.segmentation)
            self._pixel_shares.append((name, float(changed.mean())))

    @property
    def numbers(self) -> dict[str, LargestDifference]:
        """The largest difference of each number that the bundle gives, by its name in :class:`Assessment`."""
        return dict(self._numbers)

    @property
    def class_maps(self) -> ClassMapChanges | None:
        """The changes of class maps; None where there are none to compare."""
        if not self._pixel_shares:
            return None
        shares = [share for _, share in self._pixel_shares]
        frame, largest = max(self._pixel_shares, key=lambda each: each[1])
        return ClassMapChanges(len(shares), float(np.mean(shares)), largest, frame if largest > 0 else "")


def _numbers(cpu: Assessment, other: Assessment) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Each number that both verdicts may give: its name, and both values as arrays of one shape."""
    for field in _NUMBERS:
        expected, got = getattr(cpu, field), getattr(other, field)
        if expected is not None and got is not None:
            yield field, np.array([expected], np.float64), np.array([got], np.float64)
    for name in cpu.parts:
        yield f"parts.{name}", np.array([cpu.parts[name]]), np.array([other.parts[name]])
    for field in _ARRAYS:
        expected, got = getattr(cpu, field), getattr(other, field)
        if expected is None and got is None:
            continue
        shape = np.shape(got if expected is None else expected)
        missing = np.full(shape, math.nan)
        left, right = (missing if value is None else np.asarray(value, np.float64) for value in (expected, got))
        yield field, left, right


def _larger(
    before: LargestDifference | None, name: str, expected: NDArray[np.float64], got: NDArray[np.float64]
) -> LargestDifference:
    """The larger one of a difference before and that of a frame; cells that are no number in both are alike."""
    known = np.isfinite(expected), np.isfinite(got)
    both = known[0] & known[1]
    apart = float(np.abs(expected[both] - got[both]).max()) if both.any() else 0.0
    unlike = int((known[0] != known[1]).any())
    if before is None:
        return LargestDifference(apart, name if apart > 0 else "", unlike)
    if apart > before.largest:
        return LargestDifference(apart, name, before.unlike + unlike)
    return LargestDifference(before.largest, before.frame, before.unlike + unlike)


def _classes(segmentation: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.int64]:
    """``(h, w)`` classes, of logits the largest one, or where there is one alone whether it is above 0."""
    if segmentation.ndim == 2:
        return segmentation.astype(np.int64)
    classes = segmentation.argmax(axis=0) if len(segmentation) > 1 else segmentation[0] > 0
    return np.asarray(classes, np.int64)

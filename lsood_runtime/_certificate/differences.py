# SPDX-License-Identifier: Apache-2.0
"""Compare the verdicts of two monitors of one bundle, frame by frame."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._certificate.object_pairs import ObjectPair, pair_objects
from lsood_runtime._maps.objects import UnknownObject
from lsood_runtime._segmentation_classes import segmentation_classes

MOST_NAMED = 100
"""Flipped frames that a certificate names."""

_NUMBERS = ("score", "p_value", "expected_quality", "quality_low", "quality_high", "cause_probability", "severity")
_ARRAYS = ("tile_values", "anomaly_map", "class_confidence")
_WORDS = ("cause", "cause_set", "tiles", "object_count")
_OF_OBJECTS = ("area", "peak", "road_distance")

ComparedNumbers = NDArray[np.float64]


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
        largest: over all frames, cells, tiles, classes and objects, in the unit of the number.
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
        changed_pixels: share of all pixels; of a frame with a class map on one of the two alone, every one.
        largest_of_a_frame: largest share of a frame's pixels.
        frame: that has it; empty where no pixel changed.
    """

    frames: int
    changed_pixels: float
    largest_of_a_frame: float
    frame: str


@dataclass(frozen=True, slots=True)
class ObjectChanges:
    """Unknown objects against those on the CPU provider, in pairs of boxes as :func:`pair_objects` makes them.

    Attributes:
        cpu: objects on the CPU provider, of all frames.
        provider: objects on the provider.
        without_partner: objects of either that have none on the other.
        smallest_overlap: smallest intersection over union of a pair; None without any pair.
        frame: that has it; empty without any pair.
    """

    cpu: int
    provider: int
    without_partner: int
    smallest_overlap: float | None
    frame: str


class Differences:
    """Adds up how the verdicts of a provider differ from those of the CPU provider.

    Attributes:
        frames: that were compared.
        flips: frames in another state; the first hundred.
        flip_count: of all of them.
        changed_words: frames on which an answer in words or whole numbers is another one, by its name in
            :class:`Assessment`; ``object_classes`` where an object and its partner lie on another class.
        objects: changes of the unknown objects; None where the bundle tells none.
    """

    def __init__(self) -> None:
        self.frames = self.flip_count = 0
        self.flips: list[FlippedFrame] = []
        self.changed_words: dict[str, int] = {}
        self.objects: ObjectChanges | None = None
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
            if _tells(cpu, field) or _tells(other, field):
                self._count(field, not np.array_equal(getattr(cpu, field), getattr(other, field)))
        if cpu.object_words or other.object_words:
            self._add_objects(name, cpu.objects, other.objects)
        if cpu.segmentation is not None or other.segmentation is not None:
            self._pixel_shares.append((name, _changed_share(cpu, other)))

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

    def _count(self, words: str, changed: bool) -> None:
        self.changed_words[words] = self.changed_words.get(words, 0) + changed

    def _add_objects(self, name: str, cpu: tuple[UnknownObject, ...], other: tuple[UnknownObject, ...]) -> None:
        pairs = pair_objects(cpu, other)
        before = self.objects or ObjectChanges(0, 0, 0, None, "")
        smallest, frame = before.smallest_overlap, before.frame
        least = min((pair.overlap for pair in pairs), default=None)
        if least is not None and (smallest is None or least < smallest):
            smallest, frame = least, name
        self.objects = ObjectChanges(
            before.cpu + len(cpu),
            before.provider + len(other),
            before.without_partner + len(cpu) + len(other) - 2 * len(pairs),
            smallest,
            frame,
        )
        for field in _OF_OBJECTS:
            values = [(getattr(pair.first, field), getattr(pair.second, field)) for pair in pairs]
            if values and values[0] != (None, None):
                expected, got = np.array(values, np.float64).T
                number = f"objects.{field}"
                self._numbers[number] = _larger(self._numbers.get(number), name, expected, got)
        self._count("object_classes", any(_class_changed(pair) for pair in pairs))


def _numbers(cpu: Assessment, other: Assessment) -> Iterator[tuple[str, ComparedNumbers, ComparedNumbers]]:
    """Each number that both verdicts may give: its name, and both as arrays of one shape, NaN for a missing one."""
    for field in (*_NUMBERS, *_ARRAYS):
        expected, got = getattr(cpu, field), getattr(other, field)
        if expected is not None or got is not None:
            yield field, *_alike(expected, got)
    for name in {**cpu.parts, **other.parts}:
        yield f"parts.{name}", *_alike(cpu.parts.get(name), other.parts.get(name))


def _alike(*values: NDArray[np.floating] | float | None) -> tuple[ComparedNumbers, ComparedNumbers]:
    """Two values as arrays of one shape, NaN where one is missing."""
    shape = next(np.shape(value) for value in values if value is not None)
    left, right = (np.full(shape, math.nan) if value is None else np.asarray(value, np.float64) for value in values)
    return left, right


def _larger(
    before: LargestDifference | None, name: str, expected: ComparedNumbers, got: ComparedNumbers
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


def _tells(verdict: Assessment, field: str) -> bool:
    """Whether a verdict gives an answer; the set of causes may be empty."""
    return getattr(verdict, "cause" if field == "cause_set" else field) is not None


def _class_changed(pair: ObjectPair) -> bool:
    return pair.first.class_id != pair.second.class_id


def _changed_share(cpu: Assessment, other: Assessment) -> float:
    """Share of the pixels of another class; all of them where one verdict has no class map, or one of another size."""
    if cpu.segmentation is None or other.segmentation is None:
        return 1.0
    expected, got = segmentation_classes(cpu.segmentation), segmentation_classes(other.segmentation)
    return 1.0 if expected.shape != got.shape else float((expected != got).mean())

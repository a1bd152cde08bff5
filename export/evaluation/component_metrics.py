# SPDX-License-Identifier: Apache-2.0
"""Metrics of found objects by component, as SegmentMeIfYouCan counts them (Chan et al. 2021, arXiv 2104.14812).

Components are pixels that touch by a side or a corner. Void pixels belong to none: they are taken out of what was found
before components are counted. Of a found component that they cut, pieces below a smallest size that touch no object are no
components: the rim of an object that is found beyond its void border is no false object.

The adjusted intersection over union (sIoU) of an object ``k`` is taken with the union ``F`` of all found components that
touch it: ``|k & F| / |(k | F) - A|``, where ``A`` are the pixels of ``F`` that belong to other objects, so that one component
over two objects is not counted against either. The positive predictive value (PPV) of a found component is the share of its
pixels that are of any object. At a level ``t`` an object of an sIoU of at least ``t`` is caught, and a found component of a
PPV below ``t`` is false; F1 is ``2 caught / (2 caught + missed + false)``, and the mean F1 that over 0.25, 0.30, ... 0.75.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

Pixels = NDArray[np.bool_]

LEVELS = tuple(level / 100 for level in range(25, 80, 5))
"""Of sIoU and PPV, over which F1 is averaged."""

_EIGHT = np.ones((3, 3))


@dataclass(frozen=True, eq=False)
class Components:
    """Objects and found components of one or more frames.

    Attributes:
        siou: ``(K,)`` adjusted intersection over union of each object.
        ppv: ``(N,)`` positive predictive value of each found component.
    """

    siou: NDArray[np.float64]
    ppv: NDArray[np.float64]

    @classmethod
    def of_frame(cls, unknown: Pixels, found: Pixels, void: Pixels, smallest: float = 0) -> Self:
        """Compare the components of one frame.

        Args:
            unknown: ``(H, W)`` bool, pixels of unknown objects.
            found: ``(H, W)``, pixels that were called unknown.
            void: ``(H, W)``, pixels that do not count.
            smallest: pixels of a piece of a found component that void pixels cut, at least, where it touches no object.
        """
        objects, object_count = label(unknown & ~void, _EIGHT)
        pieces, piece_count = label(_outside(unknown, found, void, smallest), _EIGHT)
        object_sizes, piece_sizes = (
            np.bincount(numbers.ravel(), minlength=count + 1)[1:]
            for numbers, count in ((objects, object_count), (pieces, piece_count))
        )
        both = (objects > 0) & (pieces > 0)
        pairs, shared = np.unique((objects[both] - 1) * np.int64(piece_count) + pieces[both] - 1, return_counts=True)
        of_object, of_piece = np.divmod(pairs, max(piece_count, 1))
        inside = np.bincount(of_object, shared, object_count)
        right = np.bincount(of_piece, shared, piece_count)
        wrong = np.bincount(
            of_object, (piece_sizes - right)[of_piece], object_count
        )  # pixels of pieces that are of no object
        return cls(inside / (object_sizes + wrong), right / piece_sizes)

    @classmethod
    def of_frames(cls, frames: Iterable["Components"]) -> Self:
        """Join the components of several frames."""
        parts = list(frames)
        nothing = np.empty(0)
        return cls(
            np.concatenate([nothing, *(frame.siou for frame in parts)]),
            np.concatenate([nothing, *(frame.ppv for frame in parts)]),
        )

    @property
    def mean_siou(self) -> float | None:
        """Of the objects; None without one."""
        return float(self.siou.mean()) if len(self.siou) else None

    @property
    def mean_ppv(self) -> float | None:
        """Of the found components; None without one."""
        return float(self.ppv.mean()) if len(self.ppv) else None

    def caught(self, level: float) -> int:
        """Number of objects whose sIoU reaches a level."""
        return int((self.siou >= level).sum())

    def false(self, level: float) -> int:
        """Number of found components whose PPV is below a level."""
        return int((self.ppv < level).sum())

    def f1(self, level: float) -> float | None:
        """F1 at a level; None where there is neither an object nor a false component."""
        caught, false = self.caught(level), self.false(level)
        counted = caught + len(self.siou) + false  # 2 caught + missed + false
        return 2 * caught / counted if counted else None

    @property
    def mean_f1(self) -> float | None:
        """Over :data:`LEVELS`; None where there is neither an object nor a found component."""
        values = [self.f1(level) for level in LEVELS]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None


def _outside(unknown: Pixels, found: Pixels, void: Pixels, smallest: float) -> Pixels:
    """What was found outside of void pixels, without small pieces, on no object, of components that these cut."""
    kept = found & ~void
    if not (found & void).any():
        return kept
    whole, count = label(found, _EIGHT)
    is_cut = np.bincount(whole.ravel(), void.ravel(), count + 1) > 0
    pieces, count = label(kept, _EIGHT)
    is_rim = (np.bincount(pieces.ravel()) < smallest) & (np.bincount(pieces.ravel(), unknown.ravel(), count + 1) == 0)
    return np.asarray(kept & ~(is_cut[whole] & is_rim[pieces]))

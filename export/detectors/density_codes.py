# SPDX-License-Identifier: Apache-2.0
"""Codes of points for a compressed density: more bits for directions in which a rounding changes the density more.

A direction gets 0, 1, 2, 4, 8 or 16 bits. The first byte of the directions of 8 and 16 bits is read for every point (coarse);
all other bytes are read for the few points alone that matter to a frame (fine).
"""

import heapq
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LEVELS = (0, 1, 2, 4, 8, 16)
"""Bits that a direction may get."""

PACKED = (4, 2, 1)
"""Bits of which several directions share a byte, in the order of the fine bytes."""

_ROUNDING = {0: 1.0, 1: 0.3634, 2: 0.1188, 4: 0.01154, 8: 1.2e-4, 16: 1.8e-9}
"""Mean squared error of a normal variable of variance 1 in so many bits (Max 1960); even steps from 8 on."""

_STEPS = {1: 1.596, 2: 0.9957, 4: 0.3352}
"""Steps of the best uniform rounding of a normal variable (Max 1960), in deviations."""

_WHOLE = {8: 127, 16: 32_639}
"""Largest whole number of a code; of 16 bits 127 * 256 + 127."""


_COARSE = 64
"""Directions that get a whole byte first, if that takes no more than half of the bits: by these the candidates are chosen."""


def allot_bits(importance: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """Bits of each direction: a byte for the most important, then greedily where they lower importance times error most.

    Args:
        importance: ``(r,)`` what an error of the whole variance would cost.
        bits: sum of all, at most; 8 or more.
    """
    given = np.zeros(len(importance), np.int64)
    first = np.argsort(-importance, kind="stable")[: max(min(_COARSE, bits // 16), 1)]
    given[first] = 8
    waiting: list[tuple[float, int, int]] = []

    def offer(k: int, level: int) -> None:
        if level + 1 < len(LEVELS):
            now, then = LEVELS[level], LEVELS[level + 1]
            gain = importance[k] * (_ROUNDING[now] - _ROUNDING[then]) / (then - now)
            heapq.heappush(waiting, (-float(gain), k, level))

    for k in range(len(importance)):
        offer(k, LEVELS.index(int(given[k])))
    left = bits - int(given.sum())
    while waiting:
        _, k, level = heapq.heappop(waiting)
        cost = LEVELS[level + 1] - LEVELS[level]
        if cost <= left:
            left -= cost
            given[k] = LEVELS[level + 1]
            offer(k, level + 1)
    return given


@dataclass(frozen=True, eq=False)
class CodeLayout:
    """How the coordinates of a point along r directions become bytes; directions stand in the order of falling bits.

    Attributes:
        bits: ``(r,)`` falling, each above 0.
        steps: ``(r,)`` float64: what one step of a code stands for.
    """

    bits: NDArray[np.int64]
    steps: NDArray[np.float64]

    @classmethod
    def fit(cls, bits: NDArray[np.int64], deviations: NDArray[np.float64], largest: NDArray[np.float64]) -> Self:
        """Choose the steps.

        Args:
            bits: as above.
            deviations: ``(r,)`` standard deviations of the coordinates.
            largest: ``(r,)`` largest sizes of the coordinates.
        """
        pairs = zip(bits, deviations, largest, strict=True)
        steps = [most / _WHOLE[int(b)] if b >= 8 else _STEPS[int(b)] * spread for b, spread, most in pairs]
        return cls(bits, np.maximum(np.array(steps), np.finfo(np.float32).tiny))

    def count(self, bits: int) -> int:
        """Number of directions of so many bits."""
        return int((self.bits == bits).sum())

    @property
    def coarse(self) -> int:
        """Directions of which every point has a byte that is read for every frame."""
        return self.count(16) + self.count(8)

    @property
    def coarse_steps(self) -> NDArray[np.float64]:
        """Steps of the coarse bytes."""
        return self.steps[: self.coarse] * np.where(self.bits[: self.coarse] == 16, 256, 1)

    def encode(self, coordinates: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
        """Coarse ``(N, c)`` and fine ``(N, f)`` bytes of ``(N, r)`` coordinates."""
        scaled = coordinates / self.steps
        double, coarse = self.count(16), self.coarse
        whole = np.rint(scaled[:, :coarse]).clip(-_WHOLE[16], _WHOLE[16]).astype(np.int64)
        high = whole.copy()
        high[:, :double] = (whole[:, :double] + 128) >> 8
        low = (whole[:, :double] - 256 * high[:, :double] + 128).astype(np.uint8)
        fine, start = [low], coarse
        for bits in PACKED:
            span = slice(start, start + self.count(bits))
            half = 2 ** (bits - 1)
            fields = (np.floor(scaled[:, span]).clip(-half, half - 1) + half).astype(np.uint8)
            fine.append(_pack(fields, bits))
            start = span.stop
        return high.clip(-127, 127).astype(np.int8), np.concatenate(fine, axis=1)

    def spans(self) -> list[tuple[int, slice, slice]]:
        """Of each packed number of bits: the bits, the directions and the fine bytes."""
        found, direction, byte = [], self.coarse, self.count(16)
        for bits in PACKED:
            count = self.count(bits)
            width = -(-count * bits // 8)
            found.append((bits, slice(direction, direction + count), slice(byte, byte + width)))
            direction, byte = direction + count, byte + width
        return found

    def decode(self, coarse: NDArray[np.int8], fine: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Coordinates ``(N, r)`` of coarse and fine bytes."""
        double = self.count(16)
        whole = coarse.astype(np.float64)
        whole[:, :double] = 256 * whole[:, :double] + fine[:, :double] - 128
        parts = [whole]
        for bits, directions, bytes_ in self.spans():
            count = directions.stop - directions.start
            parts.append(_unpack(fine[:, bytes_], bits)[:, :count] + 0.5 - 2 ** (bits - 1))
        coordinates: NDArray[np.float64] = np.concatenate(parts, axis=1) * self.steps
        return coordinates


def _pack(fields: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """``(N, n)`` small numbers to ``(N, ceil(n bits / 8))`` bytes, the first one lowest."""
    each = 8 // bits
    padded = np.zeros((len(fields), -(-fields.shape[1] // each) * each), np.uint8)
    padded[:, : fields.shape[1]] = fields
    shifts = bits * np.arange(each, dtype=np.uint8)
    packed: NDArray[np.uint8] = (padded.reshape(len(fields), -1, each) << shifts).sum(axis=2, dtype=np.uint8)
    return packed


def _unpack(packed: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    shifts = bits * np.arange(8 // bits, dtype=np.uint8)
    fields = (packed[:, :, None] >> shifts) & np.uint8(2**bits - 1)
    return fields.reshape(len(packed), -1).astype(np.float64)

# SPDX-License-Identifier: Apache-2.0
"""Notice that a part of a camera's picture comes again and again while the rest goes on."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._stream.image_digest import ImageDigest, telling_tiles
from lsood_runtime._tiles.check import TileCheck
from lsood_runtime._tiles.grid import TileMask

_REMEMBERED, _FEWEST_REPEATS = 16, 3
_LONGER = 2.0
_OLD_SHARE, _NEW_SHARE, _LIVE_SHARE, _ROW_SHARE, _STILL_SHARE = 0.5, 0.9, 0.75, 0.5, 0.25


class FrozenTiles:
    """Compares each part of an image with its last 16 different contents, in the bytes that a digest samples.

    The parts are the 256 tiles of the digest. A tile of the check is frozen of which half the parts have shown nothing new
    for twice the time after which a whole image is frozen: a lossy coder changes what lies beside the border of a frozen
    half. That alone is no fault, since parts of a still scene are copied by coders of video. Frozen tiles count where they
    make up one band of complete rows or columns, which is how sensors, memories and transfers fail, while three quarters of
    the other tiles, and as many as may be faulty at least, have something new in each new image, as they do on a road. A band
    of up to a quarter of the height at the top or the bottom is left out, which may be a still sky or a bonnet. Parts of one
    value, and those of which three quarters are clipped, tell nothing.

    Memory: 16 numbers a part, 32 KB.

    Args:
        check: the tiles, and how many of them may be faulty.
    """

    def __init__(self, check: TileCheck) -> None:
        self._check = check
        self._known: NDArray[np.uint64] | None = None
        self._next, self._count, self._since_ns, self._new = (np.zeros((1, 1), np.int64) for _ in range(4))

    def see(self, digest: ImageDigest | None, words: NDArray[np.uint64] | None, time_ns: int) -> None:
        """Take in the next image.

        Args:
            digest: of :func:`~lsood_runtime._stream.image_digest.image_digest`; None where there is no image.
            words: of the same call.
            time_ns: of the image.
        """
        if digest is None or digest.tiles is None or words is None or not self._check.grid.fits(*digest.size):
            self._known = None
            return
        numbers = digest.tiles.reshape(words.shape[0], words.shape[2])
        if self._known is None or self._known.shape[1:] != numbers.shape:
            self._known = np.repeat(~numbers[None], _REMEMBERED, axis=0)
            self._next, self._count, self._since_ns, self._new = (np.zeros(numbers.shape, np.int64) for _ in range(4))
        new = ~(self._known == numbers).any(axis=0)
        places = np.nonzero(new)
        self._known[self._next[places], *places] = numbers[places]
        self._next[places] = (self._next[places] + 1) % _REMEMBERED
        self._count = np.where(new, 1, self._count + 1)
        self._since_ns[places] = time_ns
        if new.any():
            self._new[:] = new

    def frozen(self, words: NDArray[np.uint64] | None, time_ns: int, after_s: float) -> tuple[TileMask, float]:
        """The frozen tiles that count, at the time of the last image, and the seconds for which they have stood still.

        Args:
            words: of the last image.
            time_ns: of it.
            after_s: seconds after which an image is frozen.
        """
        none = self._check.grid.no_tiles()
        if self._known is None or words is None:
            return none, 0.0
        old = (time_ns - self._since_ns >= _LONGER * after_s * 1e9) & (self._count >= _FEWEST_REPEATS)
        if old.all() or old.mean() < _OLD_SHARE * self._check.share:
            return none, 0.0
        tells = telling_tiles(words)
        telling, frozen_parts, new_parts = (
            self._by_tile(parts) for parts in (tells, tells & old, tells & (self._new > 0))
        )
        frozen = (telling > 0) & (frozen_parts >= _OLD_SHARE * telling)
        live = (telling > 0) & ~frozen
        going_on = live & (new_parts >= _NEW_SHARE * telling)
        if not self._check.is_reached(live) or going_on.sum() < _LIVE_SHARE * live.sum():
            return none, 0.0
        whole_rows = _one_band(~live.any(axis=1) & (frozen.mean(axis=1) >= _ROW_SHARE))
        whole_columns = _one_band(~live.any(axis=0) & (frozen.mean(axis=0) >= _ROW_SHARE))
        for from_edge in (whole_rows, whole_rows[::-1]):
            outer = np.logical_and.accumulate(from_edge)
            if outer.sum() <= _STILL_SHARE * len(outer):
                from_edge &= ~outer
        counted = frozen & (whole_rows[:, None] | whole_columns)
        still_ns = time_ns - self._since_ns[tells & old & self._parts_of(counted, tells.shape)]
        return counted, float(still_ns.min(initial=time_ns - int(self._since_ns.min()))) / 1e9

    def shift(self, by_ns: int) -> None:
        """Move the times of what was seen to another clock."""
        self._since_ns += by_ns

    def _by_tile(self, parts: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the parts that begin in each tile are true."""
        rows, columns = self._first_parts(parts.shape)
        return np.add.reduceat(np.add.reduceat(parts, rows, axis=0, dtype=np.int64), columns, axis=1, dtype=np.int64)

    def _parts_of(self, tiles: TileMask, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which parts begin in one of the tiles."""
        rows, columns = (
            np.diff(firsts, append=size) for firsts, size in zip(self._first_parts(shape), shape, strict=True)
        )
        return np.repeat(np.repeat(tiles, rows, axis=0), columns, axis=1)

    def _first_parts(self, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first row and column of parts that begin in each row and column of tiles."""
        grid = self._check.grid
        return -(-np.arange(grid.rows) * shape[0] // grid.rows), -(-np.arange(grid.columns) * shape[1] // grid.columns)


def _one_band(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The lines where they lie beside each other; none where others lie between them."""
    return np.asarray(lines & (np.count_nonzero(np.diff(lines, prepend=False) & lines) == 1))

# SPDX-License-Identifier: Apache-2.0
"""Notice that a camera sends the same images again: one of them, several in turn, or one in which a few pixels change."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._stream.image_digest import ImageDigest, textured_tiles

FROZEN_TOLERANCE = 1 / 32
"""Share of an image's tiles that may change in one that is not new, by default: 8 of 256."""

_REMEMBERED = 16
_FEWEST_REPEATS = 3
_NEARLY_LONGER = 2.0


class ShownImages:
    """Compares each image of a camera with the last 16 different ones; the noise of a sensor makes any two differ.

    Memory: 16 digests of 2 KB.

    Args:
        tolerance: share of an image's tiles that may change in one that is not new; 0 for the same bytes alone.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._bytes, self._tiles = _Repeats(), _Repeats()
        self._last: ImageDigest | None = None

    def see(self, digest: ImageDigest | None, words: NDArray[np.uint64] | None, time_ns: int) -> None:
        """Take in the next image.

        Args:
            digest: of :func:`~lsood_runtime._stream.image_digest.image_digest`; None is always new.
            words: of the same call.
            time_ns: of the image.
        """
        self._bytes.take(digest, None if digest is None else self._bytes.same_bytes(digest), time_ns)
        if self._tolerance:
            same = self._same_tiles(digest, words)
            self._tiles.take(digest, same, time_ns)
        self._last = digest

    def frozen(self, time_ns: int, after_s: float) -> str | None:
        """Say why the camera is frozen, at the time of the last image; None where it is not.

        Args:
            time_ns: of the last image.
            after_s: seconds without new bytes; twice as many where pixels change, since still parts of a coded video are
                copied for a while.
        """
        for repeats, longer, nearly in ((self._bytes, 1.0, ""), (self._tiles, _NEARLY_LONGER, "nearly ")):
            same_s = (time_ns - repeats.since_ns) / 1e9
            if repeats.count >= _FEWEST_REPEATS and same_s >= longer * after_s:
                different = repeats.different
                which = "the same one" if different == 1 else f"the same {different} in turn"
                return (
                    f"expected a new image, got {nearly}{which} for {same_s:.1f} s, {repeats.count} in a row: the camera is "
                    "frozen"
                )
        return None

    def equals_last(self, digest: ImageDigest | None) -> bool:
        """Whether this is the image that was seen last."""
        return self._last is not None and self._last.equals(digest)

    def shift(self, by_ns: int) -> None:
        """Move the times of what was seen to another clock."""
        self._bytes.since_ns += by_ns
        self._tiles.since_ns += by_ns

    def _same_tiles(self, digest: ImageDigest | None, words: NDArray[np.uint64] | None) -> ImageDigest | None:
        """The known image of which all but a few tiles are the same."""
        if digest is None:
            return None
        same = self._tiles.same_bytes(digest)
        if same is not None or digest.tiles is None or words is None:
            return same
        known = [(each, each.tiles) for each in self._tiles.known if each.checksum[0] == digest.checksum[0]]
        if not known:
            return None
        changed = np.count_nonzero(np.array([tiles for _, tiles in known]) != digest.tiles, axis=1)
        nearest = int(changed.argmin())
        if changed[nearest] > self._tolerance * digest.tiles.size:
            return None
        allowed = int(self._tolerance * textured_tiles(words))
        return known[nearest][0] if 0 < allowed >= changed[nearest] else None


class _Repeats:
    """Images in a row of which none was new but the first.

    Attributes:
        count: of them.
        since_ns: time of the first.
        known: the last different images, the latest first.
    """

    def __init__(self) -> None:
        self.count = self.since_ns = 0
        self.known: deque[ImageDigest] = deque(maxlen=_REMEMBERED)
        self._again: set[int] = set()

    @property
    def different(self) -> int:
        """How many different images the repeated ones were."""
        return max(1, len(self._again))

    def same_bytes(self, digest: ImageDigest) -> ImageDigest | None:
        """The known image with the same bytes."""
        return next((each for each in self.known if each.equals(digest)), None)

    def take(self, digest: ImageDigest | None, known: ImageDigest | None, time_ns: int) -> None:
        """Take in the next image, which is one that is known or a new one."""
        if known is not None:
            self.count += 1
            self._again.add(id(known))
            return
        self.count, self.since_ns, self._again = 1, time_ns, set()
        if digest is not None:
            self.known.appendleft(digest)

# SPDX-License-Identifier: Apache-2.0
"""Watch the raw pictures of a camera over time: images that come again, wholly or in part, and tiles without a picture."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._stream.frozen_tiles import FrozenTiles
from lsood_runtime._stream.image_digest import ImageDigest
from lsood_runtime._stream.shown_images import ShownImages
from lsood_runtime._tiles.check import TileCheck, tile_fault
from lsood_runtime._tiles.region_words import describe_tiles


@dataclasses.dataclass(frozen=True, slots=True)
class PictureFaults:
    """Why the camera of a frame does not work, by its pictures; None where nothing is wrong.

    Attributes:
        frozen: the whole image is an old one.
        tiles: so many tiles have no picture of their own, for so many frames.
    """

    frozen: str | None
    tiles: str | None


class PictureHistory:
    """The pictures of the frames that follow each other by one clock.

    Args:
        frozen_after_s: seconds without a new image from which a camera is frozen; None for never.
        tolerance: share of an image's tiles that may change in one that is not new.
        check: the tiles that may be faulty, and for how many frames; None to look at whole images alone.
    """

    def __init__(self, frozen_after_s: float | None, tolerance: float, check: TileCheck | None) -> None:
        self._after_s, self._check = frozen_after_s, check
        self._images = ShownImages(tolerance)
        self._tiles = None if check is None else FrozenTiles(check)
        self._faulty_frames = 0

    def equals_last(self, digest: ImageDigest | None) -> bool:
        """Whether this is the image that was seen last."""
        return self._images.equals_last(digest)

    def take(
        self,
        digest: ImageDigest | None,
        words: NDArray[np.uint64] | None,
        verdict: Assessment,
        time_ns: int,
        *,
        repeated: bool,
    ) -> tuple[Assessment, PictureFaults]:
        """Take in the next frame.

        Args:
            digest: of its image; None where there is none.
            words: of the digest.
            verdict: on the frame alone.
            time_ns: of the frame.
            repeated: it is the last frame, sent twice, which counts once.

        Returns:
            The verdict with the frozen tiles among its faulty ones, which its reason names behind its own where they are as
            many as may be faulty and it is not OK; and what is wrong with the camera.
        """
        self._images.see(digest, words, time_ns)
        frozen = None if self._after_s is None else self._images.frozen(time_ns, self._after_s)
        if self._check is None or self._tiles is None:
            return verdict, PictureFaults(frozen, None)
        self._tiles.see(digest, words, time_ns)
        if digest is None:
            return verdict, PictureFaults(frozen, None)
        verdict, frozen_s = self._with_frozen(verdict, words, time_ns)
        faulty = verdict.faulty_tiles
        reached = faulty is not None and self._check.is_reached(faulty)
        if not repeated:
            self._faulty_frames = self._faulty_frames + 1 if reached else 0
        if self._faulty_frames < self._check.frames:
            if reached and verdict.state not in (State.OK, State.INVALID):
                verdict = dataclasses.replace(verdict, reason=f"{verdict.reason}; {verdict.tile_faults}")
            return verdict, PictureFaults(frozen, None)
        return verdict, PictureFaults(frozen, tile_fault(verdict.tile_faults, self._faulty_frames, frozen_s))

    def shift(self, by_ns: int) -> None:
        """Move the times of what was seen to another clock."""
        self._images.shift(by_ns)
        if self._tiles is not None:
            self._tiles.shift(by_ns)

    def _with_frozen(
        self, verdict: Assessment, words: NDArray[np.uint64] | None, time_ns: int
    ) -> tuple[Assessment, float | None]:
        """The verdict with the frozen tiles as well, and the seconds for which they stood still; None where none is."""
        if self._tiles is None or self._after_s is None:
            return verdict, None
        frozen, still_s = self._tiles.frozen(words, time_ns, self._after_s)
        blank = verdict.faulty_tiles
        if blank is not None:
            if blank.shape != frozen.shape:
                return verdict, None
            frozen &= ~blank
        if not frozen.any():
            return verdict, None
        faulty = frozen if blank is None else frozen | blank
        faulty.setflags(write=False)
        found = f"frozen: {describe_tiles(frozen)}"
        found = "; ".join(filter(None, (verdict.tile_faults, found)))
        return dataclasses.replace(verdict, faulty_tiles=faulty, tile_faults=found), still_s

# SPDX-License-Identifier: Apache-2.0
"""Look at a raw frame before any network: as a whole, and tile by tile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.reader import Bundle
from lsood_runtime._bundle.records import InputContract
from lsood_runtime._exceptions import TileCheckError
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.blank_tiles import BlankTiles, blank_words
from lsood_runtime._inference.camera_faults import NEITHER, SampledRows, sampled_fault
from lsood_runtime._tiles.check import DEFAULT_TILE_CHECK, TileCheck, check_tile_check, tile_fault
from lsood_runtime._tiles.grid import LEAST_PIXELS, TileMask, largest_grid


@dataclass(frozen=True, slots=True, eq=False)
class PictureCheck:
    """What a raw frame shows, before any network.

    Attributes:
        fault: why it is no camera's image; None where nothing is wrong.
        faulty_tiles: read-only; None where tiles were not looked at.
        tile_faults: which tiles these are, and how, in words; empty where there are none.
        has_faulty_share: whether they are so many that the frame is faulty.
    """

    fault: str | None = None
    faulty_tiles: TileMask | None = None
    tile_faults: str = ""
    has_faulty_share: bool = False

    def reason(self, *, judge_tiles: bool) -> str | None:
        """Why the frame is no camera's image, by its tiles as well where these are to be judged; None where it may be one."""
        if self.fault is not None:
            return f"expected a camera's image, got a frame that is {self.fault}"
        return tile_fault(self.tile_faults) if judge_tiles and self.has_faulty_share else None


NOT_LOOKED_AT = PictureCheck()
"""Of a frame in the memory of a device, or one that is not to be looked at."""


class PictureChecker:
    """Looks at the raw frames of a monitor.

    Args:
        validate: look at them at all.
        check: the tiles; None to look at whole frames alone.
        known: frames of a working camera, ``(N, H, W, 3)``.

    Raises:
        TypeError: no :class:`TileCheck`.
    """

    def __init__(self, validate: bool, check: TileCheck | None, known: Iterable[NDArray[np.uint8]]) -> None:
        check_tile_check(check)
        self._validate, self._check = validate, check
        self._tiles = BlankTiles(check.grid, known) if check is not None and validate else None

    @classmethod
    def of_bundle(cls, validate: bool, check: TileCheck | None, bundle: Bundle) -> Self:
        """Make the one that looks at the frames of a bundle, whose golden frames it knows.

        Raises:
            TypeError: no :class:`TileCheck`.
            TileCheckError: tiles are too small in these frames, of another check than the
                default one, which is left out there.
        """
        check_tile_check(check)
        if check is not None and check != DEFAULT_TILE_CHECK:
            check_tile_size(check, bundle.manifest.input)
        return cls(validate, check, bundle.golden.frames)

    def look(self, frame: Frame | DeviceFrame) -> PictureCheck:
        """Look at ``(1, H, W, 3)``."""
        if not self._validate or isinstance(frame, DeviceFrame):
            return NOT_LOOKED_AT
        sampled = SampledRows.of(frame)
        fault = sampled_fault(sampled)
        kinds = None if self._tiles is None else self._tiles.find(frame, sampled)
        if self._check is None or kinds is None:
            return PictureCheck(fault)
        faulty = kinds != NEITHER
        faulty.setflags(write=False)
        return PictureCheck(fault, faulty, blank_words(kinds), self._check.is_reached(faulty))


def check_tile_size(check: TileCheck, frames: InputContract) -> None:
    """Refuse tiles that are too small in the frames of a bundle.

    Raises:
        TileCheckError: a tile has fewer than 8 x 8 pixels.
    """
    height, width = frames.frame_height, frames.frame_width
    if check.grid.fits(height, width):
        return
    largest = largest_grid(height, width)
    remedy = "check whole frames alone" if largest is None else f"take {largest} or fewer, or check whole frames alone"
    raise TileCheckError(
        f"expected tiles of at least {LEAST_PIXELS}x{LEAST_PIXELS} pixels, got {check.grid} tiles of frames of "
        f"{height}x{width} (rows x columns): {remedy}"
    )

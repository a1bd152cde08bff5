# SPDX-License-Identifier: Apache-2.0
"""Settings of the check that looks at a raw frame tile by tile."""

from dataclasses import dataclass

import numpy as np

from lsood_runtime._arguments import check_count, check_number, check_type
from lsood_runtime._tiles.grid import MOST_COLUMNS, MOST_ROWS, TileGrid, TileMask


@dataclass(frozen=True, slots=True)
class TileCheck:
    """Into how many tiles a frame is divided, and how many of them may be faulty.

    A tile is black, saturated or of one colour by the rule of the whole frame, or, in a stream, frozen. A monitor whose
    frames would have tiles of fewer than 8 x 8 pixels refuses the check, and leaves the default one out.

    Attributes:
        rows: of tiles, 1 to 16.
        columns: of tiles, 1 to 16.
        share: of the tiles that must be faulty for the frame to be so, above 0, at most 1.
        frames: of a camera, one after another, that must be so before a stream calls one INVALID; a frame that is assessed by
            itself is INVALID at once.

    Raises:
        TypeError: a number of another type.
        ValueError: a number outside of its range.
    """

    rows: int = 4
    columns: int = 8
    share: float = 0.25
    frames: int = 3

    def __post_init__(self) -> None:
        for count, name, most in ((self.rows, "rows", MOST_ROWS), (self.columns, "columns", MOST_COLUMNS)):
            check_count(count, f"from 1 to {most} {name} of tiles", "4 x 8 is the default", most=most)
        check_number(
            self.share, "a share of the tiles above 0, at most 1", "0.25 is the default", lambda share: 0 < share <= 1
        )
        check_count(self.frames, "at least one frame", "3 is the default")

    @property
    def grid(self) -> TileGrid:
        """The tiles."""
        return TileGrid(int(self.rows), int(self.columns))

    def is_reached(self, faulty: TileMask) -> bool:
        """Whether so many tiles are faulty that the frame is."""
        return int(np.count_nonzero(faulty)) >= self.share * faulty.size


SATURATED = "saturated"
"""What tiles are called that show nothing but the brightest level, as of a light."""

DEFAULT_TILE_CHECK = TileCheck()
"""4 x 8 tiles, a quarter of them, three frames; frames of fewer than 32 x 64 pixels are not looked at by tiles."""


def check_tile_check(value: object) -> None:
    """Refuse what is no :class:`TileCheck`; None stands for no check.

    Raises:
        TypeError: it is neither.
    """
    if value is not None:
        check_type(value, TileCheck, "a TileCheck", "pass TileCheck(share=0.5), or None for no check")


def tile_fault(tile_faults: str, frames: int = 1, frozen_s: float | None = None) -> str:
    """Say why a frame is faulty of which so many tiles are.

    Args:
        tile_faults: which tiles, and how: ``black: left half (16 of 32 tiles)``; frozen ones last.
        frames: one after another that were so.
        frozen_s: seconds for which the frozen ones have stood still; None where none is frozen.
    """
    how_long = f", for {frames} frames" if frames > 1 else ""
    if frozen_s is not None:
        how_long = f", still for {frozen_s:.1f} s"
    light = "too much light falls on it, or " if SATURATED in tile_faults else ""
    return (
        f"expected a live picture in every tile, got {tile_faults}{how_long}: {light}a part of the camera, of its memory or "
        "of its transfer gives no picture"
    )

# SPDX-License-Identifier: Apache-2.0
"""Flags of the check that looks at raw frames tile by tile."""

import argparse
import re

from lsood_runtime._cli.arguments import positive_count
from lsood_runtime._tiles.check import DEFAULT_TILE_CHECK, TileCheck
from lsood_runtime._tiles.grid import MOST_COLUMNS, MOST_ROWS, TileGrid


def add_tiles(parser: argparse.ArgumentParser, *, in_a_row: bool) -> None:
    """Add the tiles, and how many of them make a frame faulty; for frames in a row where a command follows cameras."""
    group = parser.add_argument_group(
        "tiles of the raw frame that are black, saturated, of one colour or frozen",
        "A frame of which many tiles are so is invalid; sky and night are told from them.",
    )
    default = DEFAULT_TILE_CHECK
    group.add_argument(
        "--tile-grid",
        type=tile_grid,
        default=default.grid,
        metavar="ROWSxCOLUMNS",
        help=f"rows and columns of tiles, at most {MOST_ROWS}x{MOST_COLUMNS} (default: {default.grid})",
    )
    group.add_argument(
        "--tile-share",
        type=share_or_never,
        default=default.share,
        metavar="SHARE",
        help=f"of the tiles that must be faulty, above 0, at most 1; never switches this off (default: {default.share})",
    )
    if in_a_row:
        group.add_argument(
            "--tile-frames",
            type=positive_count,
            default=default.frames,
            metavar="N",
            help=f"frames of a camera, one after another, that must be so (default: {default.frames}); a part of the "
            "picture is frozen, and its frames count, from twice the time of --frozen-after on",
        )


def stated_tile_check(options: argparse.Namespace) -> TileCheck | None:
    """The check that the flags of :func:`add_tiles` state; None where it is switched off."""
    if options.tile_share is None:
        return None
    grid: TileGrid = options.tile_grid
    frames = getattr(options, "tile_frames", DEFAULT_TILE_CHECK.frames)
    return TileCheck(rows=grid.rows, columns=grid.columns, share=options.tile_share, frames=frames)


def tile_grid(text: str) -> TileGrid:
    """Parse rows and columns of tiles, ``4x8``."""
    match = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text, re.ASCII)
    if match is None or int(match[1]) > MOST_ROWS or int(match[2]) > MOST_COLUMNS:
        raise argparse.ArgumentTypeError(
            f"expected rows and columns of tiles such as 4x8, at most {MOST_ROWS}x{MOST_COLUMNS}, got {text!r}"
        )
    return TileGrid(int(match[1]), int(match[2]))


def share_or_never(text: str) -> float | None:
    """Parse a share above 0, at most 1; ``never`` is None."""
    if text == "never":
        return None
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share above 0, at most 1, or never, got {text!r}")
    return share

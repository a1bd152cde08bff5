# SPDX-License-Identifier: Apache-2.0
"""Where in the frame tiles lie, against the way of each pixel from the frame to the network's picture, in fractions."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from export.calibration.patched_rows import cover_of_tiles
from lsood_runtime import Assessment, State
from lsood_runtime._bundle.records import InputContract
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.tile_outline import tile_borders
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._tiles.region_words import describe_tiles


class Side(NamedTuple):
    """One side of a frame: its pixels, those that are seen, the network's, and what is added to these."""

    frame: int
    start: int
    length: int
    network: int
    pad: int


@st.composite
def sides(draw: st.DrawFn) -> Side:
    length = draw(st.integers(1, 30))
    start = draw(st.integers(0, 20))
    return Side(
        start + length + draw(st.integers(0, 20)), start, length, draw(st.integers(1, 40)), draw(st.integers(0, 30))
    )


def contract_of(down: Side, across: Side) -> InputContract:
    crop = (down.start, across.start, down.length, across.length)
    whole = (0, 0, down.frame, across.frame)
    return InputContract(
        "rgb",
        down.frame,
        across.frame,
        down.network,
        across.network,
        None if crop == whole else crop,
        "bilinear-antialias",
        (0.0,) * 3,
        (1.0,) * 3,
        pad=(down.pad, across.pad),
    )


def seen(side: Side, place: Fraction) -> Fraction:
    """A place of the frame as a share of the padded side of the network's picture."""
    return (place - side.start) * side.network / side.length / (side.network + side.pad)


def tile_at(side: Side, count: int, place: Fraction) -> int | None:
    """The row or column of tiles that shows a place of the frame; None for none."""
    return int(seen(side, place) * count) if side.start <= place < side.start + side.length else None


def overlap(side: Side, count: int, tile: int, pixel: int) -> Fraction:
    """How much of a pixel of the frame a row or column of tiles shows, in shares of the padded side."""
    if not side.start <= pixel < side.start + side.length:
        return Fraction(0)
    first, last = seen(side, Fraction(pixel)), seen(side, Fraction(pixel + 1))
    return max(Fraction(0), min(last, Fraction(tile + 1, count)) - max(first, Fraction(tile, count)))


@given(down=sides(), across=sides(), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_tile_edges_part_the_frame_as_the_network_sees_it(down: Side, across: Side, rows: int, columns: int) -> None:
    found = contract_of(down, across).tile_edges(rows, columns)
    for side, count, edges in ((down, rows, found.down), (across, columns, found.across)):
        assert edges.shape == (count + 1,)
        assert (np.diff(edges) >= 0).all()
        assert (edges[0], edges.max()) == (side.start, pytest.approx(side.start + side.length))
        for pixel in range(side.frame):
            place = pixel + Fraction(1, 2)
            if min(abs(float(place) - edge) for edge in edges) > 1e-9:
                holding = [i for i in range(count) if edges[i] < float(place) < edges[i + 1]]
                tile = tile_at(side, count, place)
                assert holding == ([] if tile is None else [tile])


@given(down=sides(), across=sides(), rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_cover_of_tiles_counts_the_pixels_that_a_tile_shows(
    down: Side, across: Side, rows: int, columns: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((down.frame, across.frame)) < 0.5
    share = cover_of_tiles(mask, contract_of(down, across).tile_edges(rows, columns))
    held = [
        np.array([[float(overlap(side, count, i, pixel)) for pixel in range(side.frame)] for i in range(count)])
        for side, count in ((down, rows), (across, columns))
    ]
    size = np.outer(held[0].sum(axis=1), held[1].sum(axis=1))
    expected = np.divide(held[0] @ mask @ held[1].T, size, out=np.zeros_like(size), where=size > 0)
    assert share == pytest.approx(expected, abs=1e-6)


@example(Side(1, 0, 1, 1, 0), Side(2, 0, 1, 20, 4), 2, 6, 0)  # the last column begins where the padding does
@given(down=sides(), across=sides(), rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_tiles_in_the_frame_are_those_that_share_a_centre_with_one_that_is_seen(
    down: Side, across: Side, rows: int, columns: int, seed: int
) -> None:
    """Places that lie on an edge, where floating point may fall to either side, are left out."""
    tiles = np.random.default_rng(seed).random((rows, columns)) < 0.3
    shared = []
    for side, count in ((down, rows), (across, columns)):
        found = np.zeros((count, count), bool)
        for own in range(count):
            centre = Fraction(side.frame * (2 * own + 1), 2 * count)
            tile = tile_at(side, count, centre)
            if tile is not None:
                if seen(side, centre) * count == tile:
                    return
                found[tile, own] = True
        for tile in range(count):
            first, last = (
                min(Fraction(tile + i, count) * (side.network + side.pad) / side.network, Fraction(1)) for i in (0, 1)
            )
            middle = side.start + (first + last) / 2 * side.length
            own_place = middle * count / side.frame
            if first < last:
                if own_place.denominator == 1:
                    return
                found[tile, int(own_place)] = True
            else:
                found[tile] = False
        shared.append(found)
    expected = (np.einsum("ir,jc,ij->rc", *shared, tiles.astype(int)) > 0) if tiles.any() else tiles
    assert np.array_equal(contract_of(down, across).tile_edges(rows, columns).in_frame(tiles), expected)


@given(size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)), rows=st.integers(1, 16), columns=st.integers(1, 16))
def test_tiles_of_a_whole_frame_are_the_frames_own(size: tuple[int, int], rows: int, columns: int) -> None:
    tiles = np.random.default_rng(size).random((rows, columns)) < 0.5
    down, across = (Side(length, 0, length, 17, 0) for length in size)
    assert np.array_equal(contract_of(down, across).tile_edges(rows, columns).in_frame(tiles), tiles)


def test_tile_below_a_crop_of_the_upper_half_is_named_and_drawn_in_the_upper_half() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.collections import LineCollection

    contract = contract_of(Side(80, 0, 40, 40, 0), Side(160, 0, 160, 80, 0))
    edges, tiles = contract.tile_edges(4, 8), np.zeros((4, 8), bool)
    tiles[2:, :4] = True
    thumbnails = Thumbnails(1, contract.crop, edges=edges)
    words = describe_tiles(tiles, edges.in_frame(tiles))
    assert words == "part of the upper left quarter (8 of 32 tiles)"
    verdict = Assessment(
        1.0, 0.5, False, 2.0, None, State.OK, "", "cpu", 1.0, 0, tiles=tiles, tile_values=tiles * 2.0, tile_words=words
    )
    thumbnails.add(SourceFrame("0.png", "camera", 0, None, ""), np.full((80, 160, 3), 90, np.uint8), verdict)
    (axis,) = thumbnails.figure().axes
    (lines,) = axis.collections
    assert isinstance(lines, LineCollection)
    assert len(lines.get_segments()) == 8
    ends = np.array(lines.get_segments()).reshape(-1, 2)
    assert ends.min(axis=0) == pytest.approx([-0.5, 19.5], abs=1)
    assert ends.max(axis=0) == pytest.approx([79.5, 39.5], abs=1)


def test_tiles_within_the_padding_have_no_border_and_lie_beside_the_frame() -> None:
    contract = contract_of(Side(40, 0, 40, 40, 40), Side(40, 0, 40, 40, 0))
    edges, tiles = contract.tile_edges(4, 4), np.zeros((4, 4), bool)
    tiles[3, 1] = True
    assert tile_borders(tiles, edges.down, edges.across) == []
    assert describe_tiles(tiles, edges.in_frame(tiles)) == "beside the frame (1 of 16 tiles)"

# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the frames with the highest scores of a drive, each beside its class map, some tiles with a border."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._answers import cause_words, objects_words, quality_words, tiles_words
from lsood_runtime._assessment import Assessment
from lsood_runtime._cli.elapsed import elapsed, is_dated
from lsood_runtime._cli.matplotlib_figure import figure_class, save_figure
from lsood_runtime._cli.moments import Moment, Moments
from lsood_runtime._cli.shorten import shorten
from lsood_runtime._cli.tile_outline import ABNORMAL, FAULTY, draw_tile_outline, line_style
from lsood_runtime._maps.map_picture import BOX, MapPictures, draw_scale
from lsood_runtime._media.class_colours import colour_classes
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._segmentation_classes import segmentation_classes
from lsood_runtime._text.counted import counted
from lsood_runtime._tiles.frame_edges import Edges, TileEdges, even_edges
from lsood_runtime._tiles.grid import TileMask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS, _COLUMNS, _LETTERS = 440, 4, 46
_ANSWERS = (quality_words, cause_words, tiles_words, objects_words)
_PAPER = np.uint8(235)
_TITLE_LINES, _LINE_IN = 3, 0.18
_GREY, _SCALE = "#888888", 20
"""Of what a mark of the legend lies on; pixels of the map's scale to its limit."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    name: str
    state: str
    answers: tuple[str, ...]
    image: NDArray[np.uint8]
    classes: NDArray[np.int16] | None
    faulty_tiles: TileMask | None
    abnormal_tiles: TileMask | None
    tile_faults: str
    has_map: bool
    has_object: bool


class Thumbnails:
    """Keeps the ``count`` moments with the highest scores, as :class:`~lsood_runtime._cli.moments.Moments` chooses them.

    Args:
        count: number of pictures.
        crop: ``(top, left, height, width)`` of the part of a frame that a class map shows; None for all of it.
        heading: what bundle and threshold the scores belong to.
        edges: where in the frame abnormal tiles lie; None where they divide all of it.
        maps: draws the anomaly map over a frame; None where there is none.
    """

    def __init__(
        self,
        count: int,
        crop: tuple[int, ...] | None = None,
        heading: str = "",
        edges: TileEdges | None = None,
        maps: MapPictures | None = None,
    ) -> None:
        figure_class()
        self._moments = Moments[_Tile](count)
        self._crop, self._heading, self._edges, self._maps = crop, heading, edges, maps
        self._first_ns: dict[bool, int] = {}
        self._frames = 0

    def add(self, source: SourceFrame, image: NDArray[np.uint8], verdict: Assessment) -> None:
        """Keep a frame if its score is among the highest; ``image`` is that of the source in RGB."""
        self._frames += 1
        dated = is_dated(source.stamp_ns)
        self._first_ns[dated] = min(self._first_ns.get(dated, source.stamp_ns), source.stamp_ns)
        if not self._moments.wants(verdict.score):
            return
        small = _shrink(image)
        classes = None if verdict.segmentation is None else segmentation_classes(verdict.segmentation)
        tile = _Tile(
            Path(source.name).name,
            verdict.state.value.replace("_", " "),
            tuple(filter(None, (word(verdict) for word in _ANSWERS))),
            self._mapped(small, verdict),
            None if classes is None else _spread(classes, image.shape[:2], small.shape[:2], self._crop),
            verdict.faulty_tiles if verdict.tile_faults else None,
            verdict.tiles if verdict.tile_words else None,
            verdict.tile_faults,
            self._maps is not None and verdict.anomaly_map is not None,
            bool(verdict.objects),
        )
        self._moments.add(Moment(verdict.score, source.camera, source.stamp_ns, tile))

    def figure(self) -> "Figure":
        """Draw the picture."""
        moments, apart_ns = self._moments.chosen()
        tiles = [moment.picture for moment in moments]
        wide = any(tile.classes is not None for tile in tiles)
        columns = max(1, min(_COLUMNS - wide, len(tiles)))
        rows = -(-max(1, len(tiles)) // columns)
        width = 4.8 if wide else 3.6
        aspect = max((_panes(tile).shape[0] / _panes(tile).shape[1] for tile in tiles), default=0.5)
        lines = _TITLE_LINES + max((len(tile.answers) for tile in tiles), default=0)
        size = width * columns, 1.0 + rows * (min(width * aspect, 6.0) + _LINE_IN * lines + 0.1)
        figure = figure_class()(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, moment in zip(axes, moments, strict=False):
            axis.imshow(_panes(moment.picture))
            shape, tile = moment.picture.image.shape[:2], moment.picture
            if tile.abnormal_tiles is not None:
                draw_tile_outline(axis, tile.abnormal_tiles, *_edges(tile.abnormal_tiles, shape, self._edges), ABNORMAL)
            if tile.faulty_tiles is not None:
                draw_tile_outline(axis, tile.faulty_tiles, *_edges(tile.faulty_tiles, shape, None))
            axis.set_title(self._title(moment), fontsize=8, parse_math=False)
        spacing = f"; those of a camera are at least {apart_ns / 1e9:.3g} s apart" if apart_ns else ""
        words = f"The {counted(len(tiles), 'highest score')} of {counted(self._frames, 'frame', comma=',')}{spacing}"
        figure.suptitle("\n".join(filter(None, (words, self._heading))), fontsize=10, parse_math=False)
        _add_legend(figure, tiles)
        return figure

    def draw(self, path: Path) -> None:
        """Write the picture.

        Raises:
            MediaError: nothing can be written there.
        """
        save_figure(self.figure(), path)

    def _mapped(self, small: NDArray[np.uint8], verdict: Assessment) -> NDArray[np.uint8]:
        """The small picture with the anomaly map over it, where there is one."""
        if self._maps is None or verdict.anomaly_map is None:
            return small
        return self._maps.draw(small, verdict.anomaly_map, verdict.objects)

    def _title(self, moment: Moment[_Tile]) -> str:
        when = elapsed((moment.stamp_ns - self._first_ns[is_dated(moment.stamp_ns)]) / 1e9, 3)
        where = f"{shorten(moment.camera, 30)} at {when}"
        score = f"score {moment.score:.4g}" if np.isfinite(moment.score) else "no score"
        lines = [shorten(moment.picture.name, _LETTERS), where, f"{score}, {moment.picture.state}"]
        lines += moment.picture.answers
        if moment.picture.tile_faults:
            lines.append(shorten(moment.picture.tile_faults, _LETTERS))
        return "\n".join(lines)


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image  # comes with matplotlib

    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((_PIXELS, _PIXELS), Image.Resampling.BOX)
    return np.array(picture)


def _spread(
    classes: NDArray[np.generic], frame: tuple[int, ...], size: tuple[int, ...], crop: tuple[int, ...] | None
) -> NDArray[np.int16]:
    """Lay a class map over a small picture of its frame; -1 where the network saw nothing.

    Args:
        classes: ``(h, w)``.
        frame: rows and columns of the frame.
        size: of the small picture.
        crop: ``(top, left, height, width)`` of the frame that the map covers; None for all.
    """
    top, left, height, width = crop or (0, 0, *frame)
    rows = np.floor(((np.arange(size[0]) + 0.5) * frame[0] / size[0] - top) * classes.shape[0] / height).astype(int)
    columns = np.floor(((np.arange(size[1]) + 0.5) * frame[1] / size[1] - left) * classes.shape[1] / width).astype(int)
    seen = np.logical_and.outer((rows >= 0) & (rows < classes.shape[0]), (columns >= 0) & (columns < classes.shape[1]))
    inside = np.ix_(rows.clip(0, classes.shape[0] - 1), columns.clip(0, classes.shape[1] - 1))
    return np.where(seen, classes[inside].astype(np.int16), np.int16(-1))


def _edges(tiles: TileMask, size: tuple[int, ...], edges: TileEdges | None) -> tuple[Edges, Edges]:
    """Where rows and columns of tiles begin and end in a small picture of ``size``; of all of it for None."""
    if edges is None:
        return even_edges(tiles.shape[0], size[0]), even_edges(tiles.shape[1], size[1])
    return edges.down * (size[0] / edges.height), edges.across * (size[1] / edges.width)


def _panes(tile: _Tile) -> NDArray[np.uint8]:
    """The frame, and its class map beside it where there is one."""
    if tile.classes is None:
        return tile.image
    coloured = np.where((tile.classes < 0)[..., None], _PAPER, colour_classes(tile.classes))
    return np.hstack([tile.image, coloured])


def _add_legend(figure: "Figure", tiles: list[_Tile]) -> None:
    """What each colour means that the picture has: those of classes, of tiles, of anomaly maps and of unknown objects."""
    from matplotlib.patches import Patch

    maps = [tile.classes for tile in tiles if tile.classes is not None]
    shown = np.unique(np.concatenate([classes.ravel() for classes in maps])) if maps else np.empty(0, np.int16)
    present = shown[shown >= 0]
    scale = draw_scale(1, 2 * _SCALE)[0].tolist()
    marks = {
        "abnormal tile": (any(tile.abnormal_tiles is not None for tile in tiles), _GREY, ABNORMAL),
        "faulty tile": (any(tile.faulty_tiles is not None for tile in tiles), _GREY, FAULTY),
        "anomaly map at the limit": (any(tile.has_map for tile in tiles), _hex(scale[_SCALE]), _GREY),
        "at twice the limit": (any(tile.has_map for tile in tiles), _hex(scale[-1]), _GREY),
        "unknown object": (any(tile.has_object for tile in tiles), _GREY, _hex(BOX)),
    }
    handles = [
        Patch(facecolor=_hex(colour), edgecolor=_GREY, label=f"class {number}")
        for number, colour in zip(present, colour_classes(present[None])[0].tolist(), strict=True)
    ]
    handles += [
        Patch(facecolor=face, edgecolor=edge, label=name, **(line_style() if edge != _GREY else {}))
        for name, (is_there, face, edge) in marks.items()
        if is_there
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=10, fontsize=8, frameon=False)


def _hex(rgb: Sequence[int]) -> str:
    """A colour as matplotlib takes it."""
    return f"#{bytes(rgb).hex()}"

# SPDX-License-Identifier: Apache-2.0
"""Put a legend under the picture of an anomaly map: what the map says in words, and its colours."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._maps.map_picture import draw_scale

NARROWEST, LEGEND_HEIGHT = 600, 64
"""Pixels of a legend: its columns at least, and its rows in a picture of fewer than 1200 columns."""

_MARGIN, _SCALE_TOP, _SCALE_HEIGHT = 8, 24, 12
_INK = (34, 34, 34)


def add_map_legend(
    picture: NDArray[np.uint8], anomaly_map: NDArray[np.float32], limit: float, object_words: str
) -> NDArray[np.uint8]:
    """Add a legend below a picture, so that a clean map does not look like a frame without one.

    Its first line has the largest value of the map and the unknown objects in words. Below it lies the scale from 0 to twice
    the limit, with a triangle at the largest value.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB, as :class:`~lsood_runtime._maps.map_picture.MapPictures` draws it.
        anomaly_map: ``(h, w)`` float32.
        limit: of the map, above which a cell is part of an object.
        object_words: the unknown objects in words.

    Returns:
        ``(H + L, max(W, NARROWEST), 3)`` uint8 RGB: the picture in the upper left corner, as it was, white beside it where it
        is narrower, and below it the legend, ``L`` rows of the size of ``LEGEND_HEIGHT`` or a multiple of it.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    width, scale = max(width, NARROWEST), max(1, width // NARROWEST)
    sheet = Image.new("RGB", (width, height + scale * LEGEND_HEIGHT), "white")
    sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (0, 0))
    legend = Image.fromarray(_legend(width // scale, float(anomaly_map.max()), limit, object_words))
    sheet.paste(legend.resize((width, scale * LEGEND_HEIGHT), Image.Resampling.BICUBIC), (0, height))
    return np.array(sheet)


def _legend(width: int, largest: float, limit: float, object_words: str) -> NDArray[np.uint8]:
    """The legend ``(LEGEND_HEIGHT, width, 3)`` by itself."""
    from PIL import Image, ImageDraw, ImageFont

    legend, length = Image.new("RGB", (width, LEGEND_HEIGHT), "white"), width - 2 * _MARGIN
    pen, font, unit = ImageDraw.Draw(legend), ImageFont.load_default(), limit if limit > 0 else 1.0
    pen.text((_MARGIN, 6), f"anomaly map, largest value {largest:.2f}; unknown objects: {object_words}", _INK, font)
    legend.paste(Image.fromarray(draw_scale(_SCALE_HEIGHT, length)), (_MARGIN, _SCALE_TOP))
    bottom = _SCALE_TOP + _SCALE_HEIGHT
    pen.rectangle((_MARGIN, _SCALE_TOP, _MARGIN + length - 1, bottom - 1), outline=_INK)
    ends = (0, "la", "0"), (1, "ma", f"limit of objects {unit:.2f}"), (2, "ra", f"{2 * unit:.2f}")
    for share, anchor, words in ends:
        pen.text((_MARGIN + share * length // 2, bottom + 9), words, _INK, font, anchor=anchor)
    place = _MARGIN + round(length * min(max(largest / unit, 0), 2) / 2)
    pen.polygon([(place - 4, bottom + 7), (place + 4, bottom + 7), (place, bottom)], _INK)
    return np.array(legend)

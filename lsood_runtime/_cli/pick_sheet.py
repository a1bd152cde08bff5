# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the frames that were picked, each with the reason."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._cli.matplotlib_figure import figure_class
from lsood_runtime._cli.shorten import shorten
from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.pictures import read_image
from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._select.picking import Pick
from lsood_runtime._text.counted import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 60
_COLUMNS, _PIXELS, _LETTERS = 6, 320, 52
_RULES = PixelRules(grey=True)


def draw_picks(picks: Sequence[Pick]) -> "Figure":
    """Draw the first 60 picks in their order; a grey field stands for a frame that cannot be read here."""
    shown = picks[:MOST_SHOWN]
    pictures = [_picture(picked) for picked in shown]
    columns = max(1, min(_COLUMNS, len(shown)))
    rows = -(-max(1, len(shown)) // columns)
    aspect = max((picture.shape[0] / picture.shape[1] for picture in pictures if picture is not None), default=0.6)
    figure = figure_class()(figsize=(2.8 * columns, 0.7 + rows * (2.8 * min(aspect, 1.5) + 0.6)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, picked, picture in zip(axes, shown, pictures, strict=False):
        if picture is None:
            axis.imshow(np.full((3, 4, 3), 220, np.uint8))
            axis.text(1.5, 1, "not readable here", ha="center", va="center", fontsize=8)
        else:
            axis.imshow(picture)
        axis.set_title(_title(picked), fontsize=6.5, parse_math=False)
    first = f"the first {len(shown)} of " if len(picks) > len(shown) else ""
    figure.suptitle(f"{first}{counted(len(picks), 'frame')} to label", fontsize=10, parse_math=False)
    return figure


def _title(picked: Pick) -> str:
    """Three lines: rank and frame, the drive with the distance, the reason."""
    name = shorten(f"{picked.rank}. {Path(picked.frame).name}", _LETTERS)
    apart = f", {picked.distance:.2f} from the nearest" if np.isfinite(picked.distance) else ""
    where = shorten(f"{shorten(picked.drive, 18)}{apart}", _LETTERS)
    return f"{name}\n{where}\n{shorten(picked.why, _LETTERS)}"


def _picture(picked: Pick) -> NDArray[np.uint8] | None:
    from PIL import Image  # comes with matplotlib

    try:
        image = read_image(Path(picked.frame), _RULES)
    except MediaError:
        return None
    picture = Image.fromarray(image)
    picture.thumbnail((_PIXELS, _PIXELS), Image.Resampling.BOX)
    return np.array(picture)

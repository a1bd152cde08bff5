# SPDX-License-Identifier: Apache-2.0
"""Figures of matplotlib, which is imported when a picture is asked for."""

import warnings
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING

from lsood_runtime._exceptions import MediaError, missing_extra, reason_of
from lsood_runtime._matplotlib_folder import keep_matplotlib_out_of_home
from lsood_runtime._partial_file import PartialFile

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_class() -> "type[Figure]":
    """Matplotlib's class of figures.

    Raises:
        MediaError: matplotlib is missing.
    """
    keep_matplotlib_out_of_home()
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("drawing a picture", "replay") from error
    return Figure


def check_picture(path: Path) -> None:
    """Refuse a picture of a format that cannot be drawn.

    Raises:
        MediaError: matplotlib is missing, or does not know the suffix.
    """
    known = figure_class()().canvas.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        formats = ", ".join(f".{suffix}" for suffix in sorted(known))
        raise MediaError(f"expected a picture that ends in {formats}, got {path}: rename it")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write the picture, in the format of its suffix; it appears whole, or not at all.

    Raises:
        MediaError: nothing can be written there, or the picture cannot be drawn.
    """
    try:
        partial = PartialFile(path)
    except OSError as error:
        raise MediaError(f"cannot write the picture {path}: {reason_of(error)}; choose another file") from error
    try:
        with BufferedWriter(partial.file) as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks gets boxes
            figure.savefig(file, dpi=110, format=path.suffix.lower().lstrip("."))
            file.flush()
            partial.move_into_place()
    except Exception as error:  # a full disk, and whatever matplotlib makes of a name or a number
        raise MediaError(f"cannot write the picture {path}: {reason_of(error)}; choose another file") from error
    finally:
        partial.discard()

# SPDX-License-Identifier: Apache-2.0
"""Figures of matplotlib, which is imported when a picture is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

from lsood_runtime._exceptions import MediaError, missing_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_class() -> "type[Figure]":
    """Matplotlib's class of figures.

    Raises:
        MediaError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("drawing a picture", "replay") from error
    return Figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write the picture, in the format of its suffix.

    Raises:
        MediaError: nothing can be written there.
    """
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise MediaError(f"cannot write the picture {path}: {error}; choose another file") from error

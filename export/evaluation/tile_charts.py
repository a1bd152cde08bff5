# SPDX-License-Identifier: Apache-2.0
"""Draw in which tiles of the picture abnormal ones were found, as SVG text."""

import numpy as np
from matplotlib.axes import Axes

from export.bundle.evaluated_sentences import shown_kind
from export.evaluation.answer_figures import AnswerFigures
from export.evaluation.svg_chart import svg_chart

_ACROSS = 4
"""Grids side by side."""

_GAP, _TITLE = 0.12, 0.3
"""Space between grids and above each, in shares of its width and of its height."""

_WRITTEN = 40
"""Tiles of a grid whose shares are written into them, at most."""


def tile_chart(figures: AnswerFigures) -> str:
    """Draw a grid for each kind: the share of its frames in which each tile is abnormal, the darker the more."""
    grids = {} if figures.tiles is None else figures.tiles.grids
    down = -(-len(grids) // _ACROSS)

    def draw(axes: Axes) -> None:
        for place, (kind, shares) in enumerate(grids.items()):
            rows, columns = shares.shape
            left, top = place % _ACROSS * (1 + _GAP), place // _ACROSS * (1 + _TITLE) + _TITLE
            x, y = left + np.arange(columns + 1) / columns, top + np.arange(rows + 1) / rows
            axes.pcolormesh(x, y, shares, cmap="Reds", vmin=0, vmax=1, edgecolors="silver", linewidth=0.4)
            axes.text(left, top - 0.06, shown_kind(kind), fontsize=7, ha="left", va="bottom")
            if shares.size <= _WRITTEN:
                for row, column in np.argwhere(shares >= 0.005):
                    share = shares[row, column]
                    axes.text(
                        left + (column + 0.5) / columns,
                        top + (row + 0.5) / rows,
                        f"{share:.2f}".lstrip("0"),
                        fontsize=4.5,
                        ha="center",
                        va="center",
                        color="white" if share > 0.6 else "black",
                    )
        axes.set_xlim(-0.02, _ACROSS * (1 + _GAP))
        axes.set_ylim(down * (1 + _TITLE) + 0.02, 0)
        axes.set_axis_off()

    return svg_chart(draw, (7, 0.4 + 1.15 * down))

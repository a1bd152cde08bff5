# SPDX-License-Identifier: Apache-2.0
"""Turn a drawing into SVG text that needs no other file, font or script."""

import io
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def svg_chart(draw: Callable[[Axes], None], size: tuple[float, float] = (6, 4.2)) -> str:
    """Draw on axes of a new figure, and give it as SVG.

    Args:
        draw: draws on the axes.
        size: width and height of the figure in inches.
    """
    with mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "lsood",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]

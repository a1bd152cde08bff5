# SPDX-License-Identifier: Apache-2.0
"""Draw confidence against accuracy, a reliability diagram, as SVG text."""

from matplotlib.axes import Axes

from export.answers.reliability import BINS, Sums
from export.evaluation.reliability_judge import Reliability
from export.evaluation.svg_chart import svg_chart

_LARGEST_MARK = 90.0


def reliability_chart(group: Reliability) -> str:
    """Draw a mark for each bin of confidence, the larger the more cells it holds, before and after the temperature."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=1)
        _marks(axes, group.before, "tab:orange", "as the network gives it")
        if group.after is not None:
            _marks(axes, group.after, "tab:blue", "over the temperature")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"mean confidence, {BINS} bins")
        axes.set_ylabel("accuracy")
        axes.legend(frameon=False, loc="upper left")

    return svg_chart(draw, (5, 4.2))


def _marks(axes: Axes, sums: Sums, colour: str, label: str) -> None:
    held = sums[sums[:, 0] > 0]
    count, confidence, right = held.T
    axes.plot(confidence / count, right / count, color=colour, linewidth=1, zorder=2)
    sizes = 6 + _LARGEST_MARK * count / count.sum()
    axes.scatter(confidence / count, right / count, s=sizes, color=colour, label=label, zorder=3)

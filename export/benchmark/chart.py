# SPDX-License-Identifier: Apache-2.0
"""A benchmark as a chart: the AUROC of each set, beside that of the picture alone."""

from matplotlib.axes import Axes

from export.benchmark.result import BenchmarkResult
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.svg_chart import svg_chart


def benchmark_chart(result: BenchmarkResult) -> str:
    """Draw the AUROC of each set with its interval; open dots are the picture alone, squares the pixels of a map."""
    rows = list(result.rows())

    def draw(axes: Axes) -> None:
        for place, (_, shift, masks) in enumerate(rows):
            figure = shift.figures["auroc"]
            if figure.known:
                axes.plot([figure.low, figure.high], [place, place], color="tab:blue", linewidth=2, alpha=0.5)
            label = "this monitor, frames" if place == 0 else None
            axes.plot(figure.value, place, "o", color="tab:blue", label=label)
            if BASELINE in shift.peers:
                label = "picture alone, frames" if place == 0 else None
                axes.plot(shift.peers[BASELINE], place, "o", color="tab:gray", fillstyle="none", label=label)
            pixels = None if masks is None else masks.figure("auroc")
            if pixels is not None:
                axes.plot(pixels.value, place, "s", color="tab:orange", label="anomaly map, pixels")
        axes.axvline(0.5, color="0.8", linewidth=1, zorder=0)
        axes.set(xlim=(-0.02, 1.02), xlabel="AUROC against the frames in distribution; of pixels, of unknown objects")
        axes.set_yticks(range(len(rows)), [prepared.name for prepared, _, _ in rows])
        axes.invert_yaxis()
        handles, names = axes.get_legend_handles_labels()
        first = dict(zip(reversed(names), reversed(handles), strict=True))
        axes.legend(list(first.values()), list(first), fontsize=7, frameon=False, loc="best")

    return svg_chart(draw, (7, 1.2 + 0.4 * len(rows)))

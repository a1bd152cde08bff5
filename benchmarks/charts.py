# SPDX-License-Identifier: Apache-2.0
"""Where people look rather than read: the tail of latency, and how cost grows."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.results import Figure, Results

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def draw_all(results: Results, folder: Path) -> dict[str, str]:
    """Draw what the figures allow; file names with what they show."""
    charts: tuple[tuple[str, str, Callable[[Axes, Results], bool]], ...] = (
        ("latency.png", "share of frames that take longer", _tail),
        ("samples.png", "monitored (fused) / alone against S", _samples),
        ("resolution.png", "monitored (fused) / alone against the size of the frame", _resolution),
        ("answers.png", "one pass with these answers / the network alone", _answers),
        ("points.png", "the detector against the density's points", _points),
    )
    drawn = {}
    for name, title, draw in charts:
        figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
        if draw(axes, results):
            axes.grid(alpha=0.3)
            axes.set_title(title)
            figure.savefig(folder / name, dpi=110)
            drawn[name] = title
        plt.close(figure)
    return drawn


def _tail(axes: Axes, results: Results) -> bool:
    rows = [figure for figure in results.of_kind("latency") if "milliseconds" in figure]
    for figure in rows:
        times = np.sort(figure["milliseconds"])
        axes.step(times, 1 - np.arange(len(times)) / len(times), where="post", label=figure["name"])
    if rows:
        axes.set(xlabel="ms", ylabel="share of frames at or above", yscale="log")
        axes.legend(fontsize=8)
    return bool(rows)


def _with_interval(
    axes: Axes, x: Sequence[float], rows: Sequence[Figure], label: str, linestyle: str = "solid"
) -> None:
    median = np.array([row["median"] for row in rows])
    below, above = median - [row["low"] for row in rows], np.array([row["high"] for row in rows]) - median
    errors = [np.maximum(below, 0), np.maximum(above, 0)]
    axes.errorbar(x, median, yerr=errors, marker="o", capsize=3, label=label, linestyle=linestyle)


def _samples(axes: Axes, results: Results) -> bool:
    rows = results.of_kind("ratio", what="monitored (fused)")
    sizes = {tuple(row["size"]) for row in rows}
    shown = False
    for backbone in dict.fromkeys(row["backbone"] for row in rows):
        for size in sorted(sizes):
            line = [row for row in rows if row["backbone"] == backbone and tuple(row["size"]) == size]
            if len(line) > 1:
                line.sort(key=lambda row: row["samples"])
                _with_interval(axes, [row["samples"] for row in line], line, f"{backbone} {size[0]}x{size[1]}")
                shown = True
    if shown:
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(xlabel="S, Monte-Carlo samples", ylabel="monitored (fused) / alone", xscale="log")
        axes.legend(fontsize=8)
    return shown


def _resolution(axes: Axes, results: Results) -> bool:
    rows = results.of_kind("ratio", what="monitored (fused)")
    shown = False
    for backbone in dict.fromkeys(row["backbone"] for row in rows):
        for samples in sorted({row["samples"] for row in rows}):
            line = [row for row in rows if row["backbone"] == backbone and row["samples"] == samples]
            if len({tuple(row["size"]) for row in line}) > 1:
                line.sort(key=lambda row: row["size"][0] * row["size"][1])
                pixels = [row["size"][0] * row["size"][1] / 1e6 for row in line]
                _with_interval(axes, pixels, line, f"{backbone} S={samples}")
                shown = True
    if shown:
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(xlabel="million pixels a frame", ylabel="monitored (fused) / alone", xscale="log")
        axes.legend(fontsize=8)
    return shown


def _answers(axes: Axes, results: Results) -> bool:
    rows = results.of_kind("ratio", over="network alone")
    cases = list(dict.fromkeys((row["backbone"], tuple(row["size"])) for row in rows))
    names = list(dict.fromkeys(row["what"] for row in rows))
    for i, (backbone, size) in enumerate(cases):
        line = {row["what"]: row for row in rows if (row["backbone"], tuple(row["size"])) == (backbone, size)}
        shown = [name for name in names if name in line]
        places = [names.index(name) + 0.12 * (i - (len(cases) - 1) / 2) for name in shown]
        _with_interval(axes, places, [line[name] for name in shown], f"{backbone} {size[0]}x{size[1]}", "none")
    if rows:
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_xticks(
            range(len(names)),
            [name.replace(" without a ", " without\n").replace(" and ", ",\n") for name in names],
            fontsize=8,
        )
        axes.set(ylabel="median, with 95 % interval")
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return bool(rows)


def _points(axes: Axes, results: Results) -> bool:
    rows = [row for row in results.of_kind("latency", what="detector") if "p50" in row["quantiles"]]
    for dimensions in sorted({row["dimensions"] for row in rows}):
        line = sorted((row for row in rows if row["dimensions"] == dimensions), key=lambda row: row["points"])
        times = [1e3 * row["quantiles"]["p50"][0] for row in line]
        axes.plot([row["points"] for row in line], times, marker="o", label=f"D = {dimensions}")
    if rows:
        axes.set(xlabel="N, points of the density", ylabel="ms, entropies and density", xscale="log", yscale="log")
        axes.legend(fontsize=8)
    return bool(rows)

# SPDX-License-Identifier: Apache-2.0
"""Draw the charts of a bundle's answers as SVG text."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from export.bundle.evaluated_sentences import CLEAN, shown_kind
from export.evaluation.answer_figures import ALL, AnswerFigures
from export.evaluation.svg_chart import svg_chart
from export.frames.evenly_spaced import evenly_spaced
from lsood_runtime.offline import measure_name

_FIT, _OTHER, _EXPECTED = "#0072b2", "#d55e00", "#009e73"
_POINTS = 600
_ROW, _COLUMN = 0.17, 0.3
"""Inches of a row that has a name, and of a column."""

_MARKERS = ("o", "s", "^", "D", "v")
_COLOURS = tuple(f"C{i}" for i in range(10))


def scatter_chart(figures: AnswerFigures) -> str:
    """Draw the true quality of frames against the expected one, with the intervals as vertical lines, a colour a kind."""
    frames = figures.frames
    shown = evenly_spaced(np.flatnonzero(frames.has_truth & frames.is_known), _POINTS)
    kinds = [group.name for group in figures.by_kind if (frames.kind[shown] == group.name).any()]
    rows = -(-len(kinds) // 4)

    def draw(axes: Axes) -> None:
        axes.vlines(
            frames.expected[shown], frames.low[shown], frames.high[shown], color="grey", alpha=0.25, linewidth=0.8
        )
        axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
        for i, (kind, colour) in enumerate(zip(kinds, cycle(_COLOURS), strict=False)):
            own = shown[frames.kind[shown] == kind]
            filled = bool(frames.in_fit[own].all())
            axes.scatter(
                frames.expected[own],
                frames.truth[own],
                s=9,
                marker=_MARKERS[i // len(_COLOURS) % len(_MARKERS)],
                facecolors=colour if filled else "none",
                edgecolors=colour,
                linewidths=0.8,
                label=shown_kind(kind),
            )
        axes.set(xlabel=_expected(figures), ylabel=_true(figures), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(fontsize=6.5, frameon=False, loc="upper left", bbox_to_anchor=(-0.1, -0.13), ncols=4)

    return svg_chart(draw, (6, 4.3 + 0.14 * rows))


def coverage_chart(figures: AnswerFigures) -> str:
    """Draw the share of each kind's frames whose interval holds the truth, with the promised share as a line."""
    groups = [(group, group.covered) for group in figures.by_kind if group.covered is not None]

    def draw(axes: Axes) -> None:
        places = np.arange(len(groups))
        for in_fit, colour in ((True, _FIT), (False, _OTHER)):
            own = [(place, held) for place, (group, held) in enumerate(groups) if group.in_fit is in_fit]
            if own:
                label = "in the fit" if in_fit else "not in the fit"
                axes.barh([place for place, _ in own], [held.value for _, held in own], color=colour, label=label)
        for place, (_, held) in enumerate(groups):
            if held.known:
                axes.plot([held.low, held.high], [place, place], color="black", linewidth=1)
        promised = 0.0 if figures.record.quality is None else figures.record.quality.coverage
        axes.axvline(promised, color="black", linestyle="--", linewidth=1, label=f"promised {promised:.0%}")
        axes.set_yticks(places, [shown_kind(group.name) for group, _ in groups], fontsize=7)
        axes.set(xlabel="share of the frames whose interval holds the truth", xlim=(0, 1.02))
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)

    return svg_chart(draw, (6, max(2.2, 1.1 + _ROW * len(groups))))


def confusion_chart(figures: AnswerFigures) -> str:
    """Draw which causes the frames of each kind are called by: shares of a row, that sum to 1."""
    causes = figures.causes
    names, columns = (() if causes is None else causes.kinds), (() if causes is None else causes.causes)
    counts: NDArray[np.int64] = np.zeros((0, 0), np.int64) if causes is None else causes.counts
    size = (max(6.0, 1.9 + _COLUMN * len(columns)), max(2.4, 1.6 + _ROW * len(names)))

    def draw(axes: Axes) -> None:
        shares = counts / counts.sum(axis=1, keepdims=True)
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.3)
        for row, column in np.argwhere(shares >= 0.005):
            share = shares[row, column]
            colour = "white" if share > 0.6 else "black"
            axes.text(column + 0.5, row + 0.5, f"{share:.0%}", fontsize=5.5, ha="center", va="center", color=colour)
        fit = {group.name: group.in_fit for group in figures.by_kind}
        rows = [shown_kind(name) + ("" if fit[name] else " *") for name in names]
        axes.set_yticks(np.arange(len(names)) + 0.5, rows, fontsize=7)
        shown = [cause.replace("_", " ") for cause in columns]
        axes.set_xticks(np.arange(len(columns)) + 0.5, shown, fontsize=7, rotation=90)
        axes.tick_params(length=0)
        axes.set(xlabel="called", ylabel="frames of")
        axes.invert_yaxis()

    return svg_chart(draw, size)


def quality_by_severity_chart(figures: AnswerFigures) -> str:
    """Draw mean expected and mean true quality against the severity, with bars from the 10th to the 90th percentile."""
    frames = figures.frames

    def draw(axes: Axes) -> None:
        told = frames.has_truth & frames.is_known & frames.has_severity
        severities = np.unique(frames.severity[told])
        for among, fit_words, style, shift in (
            (frames.in_fit, "in the fit", "-", 0.0),
            (~frames.in_fit, "not in the fit", "--", 0.16),
        ):
            levels = [level for level in severities if (told & among & (frames.severity == level)).any()]
            for values, words, colour, beside in (
                (frames.truth, "true", _FIT, -0.04),
                (frames.expected, "expected", _EXPECTED, 0.04),
            ):
                own = [values[told & among & (frames.severity == level)] for level in levels]
                if not own:
                    continue
                x = np.array(levels) + beside + shift
                axes.plot(
                    x,
                    [part.mean() for part in own],
                    "o",
                    linestyle=style,
                    markersize=3.5,
                    color=colour,
                    label=f"{words}, {fit_words}",
                )
                axes.vlines(
                    x,
                    *np.array([np.percentile(part, [10, 90]) for part in own]).T,
                    color=colour,
                    linewidth=0.8,
                    linestyle=style,
                )
        axes.set(
            xlabel=f"severity (0: {CLEAN})", ylabel=_expected(figures).removeprefix("expected "), xticks=severities
        )
        axes.set_ylim(-0.02, 1.02)
        axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handlelength=4)

    return svg_chart(draw)


def accepted_chart(figures: AnswerFigures) -> str:
    """Draw the mean true quality of the accepted frames against their share: by lower end, score, oracle and at random."""
    lower, score = figures.quality[ALL].rankings

    def draw(axes: Axes) -> None:
        share = np.arange(1, len(lower.risk) + 1) / len(lower.risk)
        axes.plot(share, 1 - lower.risk, color=_FIT, linewidth=2, label="lower end")
        axes.plot(share, 1 - score.risk, color=_OTHER, label="score")
        axes.plot(share, 1 - lower.oracle_risk, color="grey", linestyle="--", label="oracle")
        axes.axhline(1 - lower.random_aurc, color="grey", linestyle=":", label="random order")
        axes.set(xlabel="share of frames accepted", ylabel=f"mean {_true(figures)} of those")
        axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.15), ncols=4)

    return svg_chart(draw)


def has_severities(figures: AnswerFigures) -> bool:
    """Whether there are frames of several severities, counting 0, whose true and expected quality are known."""
    frames = figures.frames
    return len(np.unique(frames.severity[frames.has_truth & frames.is_known & frames.has_severity])) > 1


def _expected(figures: AnswerFigures) -> str:
    return measure_name(None if figures.record.quality is None else figures.record.quality.measure)


def _true(figures: AnswerFigures) -> str:
    return "true " + _expected(figures).removeprefix("expected ")

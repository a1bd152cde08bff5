# SPDX-License-Identifier: Apache-2.0
"""Draw the charts of a report as SVG text, which needs no other file, font or script."""

from collections import defaultdict

import numpy as np
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from export.evaluation.label_places import name_points
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.plots import plot_samples_pacmap, plot_score_histogram
from export.evaluation.result import Evaluation
from export.evaluation.shift import Shift
from export.evaluation.svg_chart import svg_chart
from export.frames.evenly_spaced import evenly_spaced

_CURVES = 8
_OTHERS = 4
_SEEN, _BLIND = "#0072b2", "#d55e00"
_POINTS = 700


def roc_chart(result: Evaluation) -> str:
    """Draw ROC curves: of all real shifts, and of the synthetic kinds at the middle severity."""
    return svg_chart(lambda axes: _roc(result, axes))


def _roc(result: Evaluation, axes: Axes) -> None:
    ind = result.ind.score
    for shift in _typical(result):
        ood = shift.frames.score
        labels = np.repeat([0, 1], [len(ind), len(ood)])
        fpr, tpr, _ = roc_curve(labels, np.concatenate([ind, ood]))
        axes.plot(fpr, tpr, label=f"{shift.frames.source.name} {shift.figures['auroc'].value:.2f}", linewidth=1.2)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="in-distribution frames flagged", ylabel="out-of-distribution frames caught", aspect="equal")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _typical(result: Evaluation) -> list[Shift]:
    """Real shifts, then those of the middle severity with the lowest AUROC, as many as stay legible."""
    real = [shift for shift in result.shifts if shift.frames.source.kind is None]
    severities = sorted({shift.frames.source.severity or 0 for shift in result.shifts if shift not in real})
    middle = severities[len(severities) // 2] if severities else 0
    synthetic = [shift for shift in result.shifts if shift.frames.source.severity == middle]
    synthetic.sort(key=lambda shift: shift.figures["auroc"].value)
    return [*real, *synthetic[: max(0, _CURVES - len(real))]]


def histogram_chart(result: Evaluation) -> str:
    """Draw the scores of in-distribution frames against those of all out-of-distribution frames, with the threshold."""

    def draw(axes: Axes) -> None:
        ood = np.concatenate([shift.frames.score for shift in result.shifts])
        ind = result.ind.score
        ceiling = np.percentile(np.concatenate([ind, ood]), 97)  # a few frames far away would press all others together
        plot_score_histogram(
            np.minimum(ind, ceiling), np.minimum(ood, ceiling), min(result.threshold, ceiling), bins=40, axes=axes
        )
        axes.set(xlabel="score (the last bin holds all beyond)", ylabel="density", title="")
        axes.legend(fontsize=7, frameon=False)

    return svg_chart(draw)


def severity_chart(result: Evaluation) -> str:
    """Draw the AUROC of each kind of degradation against its severity, named at the end of the line; dots where it hurts."""

    def draw(axes: Axes) -> None:
        lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
        hurts: dict[str, list[bool]] = defaultdict(list)
        for shift in result.shifts:
            source = shift.frames.source
            if source.kind is not None and source.severity is not None:
                lines[source.kind].append((source.severity, shift.figures["auroc"].value))
                hurts[source.kind].append(shift.harm is not None and shift.harm.cell)
        ends = sorted(((points[-1][1], kind) for kind, points in lines.items()), reverse=True)
        lowest = min(value for points in lines.values() for _, value in points)
        names = max(22, len(ends) + 1)  # that fit beside the axes, one under the other
        gap, place = (1 - min(lowest, 0.5)) / names, 2.0
        for end, kind in ends:
            (line,) = axes.plot(*zip(*lines[kind], strict=True), linewidth=1.2)
            dots = [point for point, cell in zip(lines[kind], hurts[kind], strict=True) if cell]
            if dots:
                axes.plot(*zip(*dots, strict=True), "o", markersize=4, color=line.get_color())
            place = min(end, place - gap)
            axes.annotate(
                kind.replace("_", " "),
                (lines[kind][-1][0], end),
                xytext=(lines[kind][-1][0] + 0.15, place),
                fontsize=7,
                color=line.get_color(),
                va="center",
            )
        axes.axhline(0.5, color="grey", linestyle=":", linewidth=1)
        severities = sorted({severity for points in lines.values() for severity, _ in points})
        axes.set(xlabel="severity", ylabel="AUROC", xticks=severities, xlim=(severities[0] - 0.2, severities[-1] + 1.3))

    return svg_chart(draw)


def harm_chart(result: Evaluation) -> str:
    """Draw the share of frames that is flagged against the share that hurts, a point for each shift."""

    def draw(axes: Axes) -> None:
        known = [(shift, shift.hurting_share) for shift in result.shifts if shift.hurting_share is not None]
        blind = {spot.name for spot in result.blind_spots}
        named: dict[str, tuple[float, float]] = {}
        for shift, hurting in known:
            flagged, seen = 1 - shift.figures["miss_rate"].value, shift.name not in blind
            axes.plot([hurting], [flagged], "o", markersize=4, color=_SEEN if seen else _BLIND)
            if not seen:
                named[shift.name.replace("_", " ")] = hurting, flagged
        name_points(axes, named)
        axes.axhline(result.false_alarm_rate.value, color="grey", linestyle="--", linewidth=1, label="in distribution")
        axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1, label="as many as hurt")
        axes.set(xlabel="share of the frames that hurt", ylabel="share flagged", xlim=(-0.03, 1.12), ylim=(-0.03, 1.03))
        axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)  # points fill the axes

    return svg_chart(draw)


def risk_chart(result: Evaluation) -> str:
    """Draw the mean of 1 - mIoU of the accepted frames against the share that is accepted, by few of the scores.

    These are the bundle's own, the best others by AUGRC, and the baseline without a network.
    """

    def draw(axes: Axes) -> None:
        own, *others = result.failures
        best = sorted((other for other in others if other.score_name != BASELINE), key=lambda other: other.augrc.value)
        baseline = [other for other in others if other.score_name == BASELINE]
        for failure in (own, *best[:_OTHERS], *baseline):
            coverage = np.arange(1, len(failure.risk) + 1) / len(failure.risk)
            axes.plot(coverage, failure.risk, label=failure.score_name, linewidth=2 if failure is own else 1)
        oracle = own.oracle_risk
        axes.plot(np.arange(1, len(oracle) + 1) / len(oracle), oracle, color="grey", linestyle="--", label="oracle")
        axes.axhline(own.random_aurc, color="grey", linestyle=":", label="random order")
        axes.set(xlabel="share of frames accepted, lowest scores first", ylabel="1 - mIoU of the accepted frames")
        axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.15), ncols=2)  # curves fill them

    return svg_chart(draw)


def pacmap_chart(result: Evaluation) -> str:
    """Draw the entropies in the plane: evenly spaced in-distribution frames against as many of the others."""

    def draw(axes: Axes) -> None:
        ood = np.concatenate([shift.frames.entropy for shift in result.shifts])
        ind, ood = (rows[evenly_spaced(np.arange(len(rows)), _POINTS)] for rows in (result.ind.entropy, ood))
        plot_samples_pacmap(ind, ood, axes=axes, seed=result.options.seed)
        axes.legend(fontsize=7, frameon=False)

    return svg_chart(draw)

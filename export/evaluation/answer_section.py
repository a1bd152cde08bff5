# SPDX-License-Identifier: Apache-2.0
"""The section of a report about a bundle's answers: how good the segmentation still is, why, and where."""

from collections.abc import Callable
from html import escape

from export.evaluation.answer_figures import ALL, AnswerFigures
from export.evaluation.answer_summary import answer_summary
from export.evaluation.answer_tables import answer_cause_table, answer_group_tables, answer_quality_table
from export.evaluation.result import Evaluation

TITLE = "How good is the segmentation still, and why"

ChartFigure = Callable[[str, str, str], str]
"""HTML of a chart with title, caption and SVG."""


def answer_section(result: Evaluation, figure: ChartFigure) -> str:
    """Render the section; empty where the bundle answers nothing."""
    figures = result.answers
    if figures is None:
        return ""
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in answer_summary(figures))
    tables = answer_quality_table(result, figures) + answer_cause_table(result, figures)
    charts = "".join(figure(title, caption, draw(figures)) for title, caption, draw in _charts(figures))
    shown = f'<div class="figures">{charts}</div>' if charts else ""
    return f"<section><h2>{TITLE}</h2>{sentences}{tables}{shown}{answer_group_tables(figures)}</section>"


def _charts(figures: AnswerFigures) -> list[tuple[str, str, Callable[[AnswerFigures], str]]]:
    """Title, caption and drawing of each chart that there are frames for."""
    from export.evaluation import answer_charts, tile_charts  # here, since only a report needs matplotlib

    groups, quality = figures.by_kind, figures.record.quality
    others = any(not group.in_fit for group in groups)
    charts: list[tuple[str, str, Callable[[AnswerFigures], str]]] = []
    if quality is not None and ALL in figures.quality:
        hollow = " Hollow marks are of kinds that are not in the fit." if others else ""
        charts.append(
            (
                "Expected and true quality",
                f"A mark for each frame, evenly spaced ones where there are many; grey lines are the intervals.{hollow}",
                answer_charts.scatter_chart,
            )
        )
        if any(group.covered is not None for group in groups):
            ends = any(group.covered is not None and group.covered.known for group in groups)
            lines = " Black lines are 95 % intervals." if ends else ""
            charts.append(
                (
                    "Does the interval hold what it promises?",
                    f"By kind, of frames whose quality is told.{lines}",
                    answer_charts.coverage_chart,
                )
            )
    if figures.causes is not None:
        star = " Kinds with a star are not in the fit." if others else ""
        charts.append(
            (
                "What the frames are called",
                f"Share of the frames of each kind (a row) that is called by each cause (a column).{star}",
                answer_charts.confusion_chart,
            )
        )
    if figures.tiles is not None and figures.tiles.grids:
        charts.append(
            (
                "Which tiles are abnormal",
                "Share of the frames of each kind in which each tile is abnormal, where the tile lies in the picture.",
                tile_charts.tile_chart,
            )
        )
    if quality is not None and ALL in figures.quality:
        if answer_charts.has_severities(figures):
            charts.append(
                (
                    "Quality by severity",
                    "Means over the frames of all kinds whose true and expected quality are known; bars reach from the 10th "
                    "to the 90th percentile of the frames.",
                    answer_charts.quality_by_severity_chart,
                )
            )
        charts.append(
            (
                "Quality of the accepted frames",
                "Mean true quality of the frames that are accepted: those of the highest lower end first and those of "
                "unknown quality last, or those of the lowest score first.",
                answer_charts.accepted_chart,
            )
        )
    return charts

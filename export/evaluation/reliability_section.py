# SPDX-License-Identifier: Apache-2.0
"""The section of a report about confidence: whether pixels are as often right as the network is sure of them."""

from collections.abc import Callable
from html import escape

from export.evaluation.reliability_summary import reliability_sentences
from export.evaluation.report_summary import interval_basis
from export.evaluation.report_tables import table
from export.evaluation.result import Evaluation

TITLE = "Is the confidence right"

ChartFigure = Callable[[str, str, str], str]
"""HTML of a chart with title, caption and SVG."""

CLASS_HEADER = ("class", "share of cells", "accuracy", "confidence", "mean anomaly")


def reliability_section(result: Evaluation, figure: ChartFigure) -> str:
    """Render the section; empty where no frame in distribution has a label, or where the bundle has no map of logits."""
    groups = result.reliability
    if not groups:
        return ""
    from export.evaluation.reliability_chart import reliability_chart  # here, since only a report needs matplotlib

    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in reliability_sentences(groups, result.temperature))
    chart = figure(
        "Confidence and accuracy",
        f"Cells of {groups[0].name}, by confidence; the larger a mark, the more cells it holds. On the grey line both are "
        "the same; below it the network is too sure.",
        reliability_chart(groups[0]),
    )
    by_class = table(CLASS_HEADER, class_rows(result), f"Cells of {groups[0].name} by the class that is predicted.")
    return f'<section><h2>{TITLE}</h2>{words}<div class="figures">{chart}</div>{by_class}{_by_set(result)}</section>'


def class_rows(result: Evaluation) -> list[list[str]]:
    """A row for each class that frames in distribution show."""
    return [
        [
            str(each.number),
            f"{each.share:.3f}",
            f"{each.accuracy:.3f}",
            f"{each.confidence:.3f}",
            "-" if each.anomaly is None else f"{each.anomaly:+.2f}",
        ]
        for each in result.reliability[0].classes
    ]


def _by_set(result: Evaluation) -> str:
    """The figures of every set, and of every kind of degradation."""
    rows = [
        [
            group.name,
            str(group.frames),
            group.accuracy.text(".3f", ".3f"),
            group.error_before.text(".3f", ".3f"),
            "-" if group.error is None else group.error.text(".3f", ".3f"),
        ]
        for group in result.reliability
    ]
    header = ("set or kind", "frames", "accuracy", "ECE as it is", "ECE over the temperature")
    caption = (
        "ECE: expected calibration error, the mean distance of confidence and accuracy over 15 bins of confidence, weighed "
        f"by their cells. A temperature is right for frames like those that fitted it. {interval_basis(result)}"
    )
    return table(header, rows, caption)

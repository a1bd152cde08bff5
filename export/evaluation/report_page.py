# SPDX-License-Identifier: Apache-2.0
"""Write the report of an evaluation: one HTML file that opens offline, on a phone and in print, and figures as JSON."""

import itertools
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template

from export.atomic_write import atomic_folder
from export.destination import check_own_folder
from export.errors import UsageError
from export.evaluation import report_captions, report_tables
from export.evaluation.answer_section import answer_section
from export.evaluation.mask_section import mask_section
from export.evaluation.page_text import fact_rows
from export.evaluation.reliability_section import reliability_section
from export.evaluation.report_pictures import data_url
from export.evaluation.report_summary import summary
from export.evaluation.result import Evaluation
from export.evaluation.shown_frames import ShownFrame
from lsood_runtime import __version__
from lsood_runtime.offline import colour_classes, detector_sentence, new_drives_sentence

_MARK = "figures.json"
_PACKAGES = ("matplotlib", "pacmap")
_PAGE = Path(__file__).parent / "report_page.html"
_STYLE = Path(__file__).parent / "report_style.css"


def check_report_packages() -> None:
    """Refuse a report for which a package is missing, before the frames are scored.

    Raises:
        UsageError: a package of the extra ``guide`` is missing.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"expected the packages of a report, found no {', '.join(missing)}: install lsood-export with its extra guide, "
            f"pip install 'lsood_export-{__version__}-py3-none-any.whl[guide]'"
        )


def check_report_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to in the end, before the frames are scored.

    Raises:
        UsageError: it cannot take its place, or it holds something other than a report.
    """
    check_own_folder(folder, _MARK, "a report", "choose another --report")


def write_report(result: Evaluation, folder: Path, command: str) -> None:
    """Write ``index.html`` and ``figures.json`` atomically; a report that is there is replaced.

    Args:
        result: the evaluation.
        folder: of the report.
        command: how it was made.

    Raises:
        UsageError: as for :func:`check_report_folder`, or a package of the extra ``guide`` is missing.
    """
    check_report_folder(folder)
    page = render(result, command)
    with atomic_folder(folder) as temporary:
        (temporary / _MARK).write_text(json.dumps(result.asdict(), indent=1, allow_nan=False) + "\n")
        (temporary / "index.html").write_text(page, encoding="utf-8")


def page_style() -> str:
    """The style sheet of pages that open offline, on a phone and in print."""
    return _STYLE.read_text(encoding="utf-8")


def render(result: Evaluation, command: str) -> str:
    """Render the page.

    Raises:
        UsageError: a package of the extra ``guide`` is missing.
    """
    check_report_packages()
    from export.evaluation import report_charts  # here, since only a report needs matplotlib

    synthetic = [shift for shift in result.shifts if shift.frames.source.kind is not None]
    harm = result.split is not None and any(shift.hurting_share is not None for shift in result.shifts)
    several = len({shift.frames.source.severity for shift in synthetic}) > 1
    rows = len(result.ind) + sum(len(shift.frames) for shift in result.shifts)
    charts = [
        ("ROC curves", report_captions.roc(result), report_charts.roc_chart, bool(result.shifts)),
        ("Scores", report_captions.HISTOGRAM, report_charts.histogram_chart, bool(result.shifts)),
        ("Severity", report_captions.severity(result), report_charts.severity_chart, several),
        ("Does it flag what hurts?", report_captions.harm(result), report_charts.harm_chart, harm),
        ("Entropies in the plane", report_captions.PLANE, report_charts.pacmap_chart, bool(result.shifts) and rows >= 20),
        ("Does the score predict failures?", report_captions.risk(result), report_charts.risk_chart, bool(result.failures)),
    ]  # fmt: skip
    numbers = itertools.count(1)
    figures = [
        page_figure(title, caption, draw(result), next(numbers)) if there else _absent(title)
        for title, caption, draw, there in charts
    ]

    def numbered(title: str, caption: str, svg: str) -> str:
        return page_figure(title, caption, svg, next(numbers))

    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        style=page_style(),
        title=escape(f"{result.manifest.name}: out-of-distribution evaluation"),
        created=escape(result.created),
        summary="".join(f"<p>{escape(sentence)}</p>" for sentence in summary(result)),
        hurting=report_tables.hurting_table(result),
        blind=report_tables.blind_table(result),
        scores=report_tables.score_table(result),
        shifts=report_tables.shift_table(result),
        drives=report_tables.drive_table(result),
        figures="".join(figures),
        failures=report_tables.failure_table(result),
        answers=answer_section(result, numbered) + mask_section(result) + reliability_section(result, numbered),
        highest=_gallery(result.highest_scores),
        lowest=_gallery(result.lowest_scores),
        facts=_facts(result, command),
    )


def page_figure(title: str, caption: str, svg: str, number: int) -> str:
    """A chart with its title and caption; ``number`` tells it apart from the others of its page."""
    # Ids must be unique in the page, so the ids of each chart get a prefix of their own.
    unique = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{number}-", svg)
    labelled = unique.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return f"<figure><h3>{escape(title)}</h3>{labelled}<figcaption>{escape(caption)}</figcaption></figure>"


def _absent(title: str) -> str:
    why = "Not shown: this evaluation has no frames for it."
    return f"<figure><h3>{escape(title)}</h3><figcaption>{why}</figcaption></figure>"


def _gallery(frames: Sequence[ShownFrame]) -> str:
    return "".join(
        f'<li><img alt="{escape(f"frame {frame.frame_name} of {frame.set_name}")}" src="{data_url(frame.image)}">'
        + (
            f'<img alt="{escape(f"class map of {frame.frame_name}")}" src="{data_url(colour_classes(frame.classes))}">'
            if frame.classes is not None
            else ""
        )
        + f"<p>{escape(frame.set_name)}: {escape(frame.frame_name)}<br>score {frame.score:.4g}, "
        f"p = {frame.p_value:.3f}</p></li>"
        for frame in frames
    )


def _facts(result: Evaluation, command: str) -> str:
    manifest, point = result.manifest, result.manifest.operating_points[result.operating_point]
    every = result.options.every
    which = "every in-distribution frame" if every == 1 else f"one in-distribution frame in {every}"
    facts = {
        "command": command,
        "bundle": f"{manifest.name}, made {manifest.created}",
        "tap": f"{', '.join(manifest.tap.layers)}: {manifest.tap.channels} dimensions, {manifest.masks.count} "
        f"{manifest.masks.mode} masks",
        "detector": f"{detector_sentence(manifest.detector)}; {manifest.detector.reason}",
        "threshold": f"{point.value:.4g}, operating point {result.operating_point}: {point.rule}; target "
        f"{point.false_alarm_rate:.1%}, {point.rate_low:.1%} to {point.rate_high:.1%} on known drives, "
        f"{new_drives_sentence(point)}",
        "calibration": manifest.calibration.source,
        **{f"warning {i}": warning for i, warning in enumerate(manifest.calibration.warnings, 1)},
        "degradations": f"of {which}, seed {result.options.seed}",
        "versions": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
    }
    return fact_rows(facts)

# SPDX-License-Identifier: Apache-2.0
"""Print the result of an evaluation as tables."""

import math

from rich.table import Table

from export.cli.pipe_console import output_console
from export.evaluation.answer_summary import answer_summary
from export.evaluation.interval import Interval
from export.evaluation.object_summary import object_sentences
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.reliability_section import CLASS_HEADER, class_rows
from export.evaluation.reliability_summary import reliability_sentences
from export.evaluation.report_summary import summary
from export.evaluation.result import Evaluation
from export.evaluation.shift import Shift
from lsood_runtime.offline import printable

_SHOWN_SCORES = 12


def print_evaluation(result: Evaluation) -> None:
    """Print figures by shift, every score on what hurts and on failures, and a summary."""
    console = output_console()
    console.print(_shift_table(result))
    if result.judged:
        console.print(_score_table(result))
    if result.failures:
        console.print(_failure_table(result))
    if result.reliability:
        console.print(_class_table(result))
    answers = [] if result.answers is None else answer_summary(result.answers)
    confidence = reliability_sentences(result.reliability, result.temperature)
    for sentence in [*summary(result), *answers, *object_sentences(result), *confidence]:
        console.print(printable(sentence))


def _shift_table(result: Evaluation) -> Table:
    table = Table(title=f"{result.manifest.name}, threshold {result.threshold:.4g} ({result.operating_point})")
    labelled, baseline = result.ind.mean_iou is not None, BASELINE in result.ind.peers
    blind = {spot.name for spot in result.blind_spots}
    columns = ("shift", "frames", "hurt", "missed", "AUROC", "InD flagged, 95 % caught", "OoD missed, 95 % kept")
    for column in [*columns, *(["picture alone"] if baseline else []), *(["mIoU"] if labelled else [])]:
        narrow = column in ("shift", "AUROC")  # of these the cells are the widest, of all others the headers
        table.add_column(column, justify="left" if column == "shift" else "right", no_wrap=narrow)
    if blind:
        table.caption = "* blind spot: hurts, and is missed at the threshold"
    for shift in result.shifts:
        iou = [] if not labelled else ["-" if shift.frames.mean_iou is None else f"{shift.frames.mean_iou:.3f}"]
        table.add_row(
            shift.name + (" *" if shift.name in blind else ""),
            str(len(shift.frames)),
            _hurts(shift),
            *(_shown(shift, baseline=baseline) if result.is_stated(shift) else ["-"] * (4 + baseline)),
            *iou,
        )
    return table


def _shown(shift: Shift, *, baseline: bool) -> list[str]:
    return [
        f"{shift.figures['miss_rate'].value:.3f}",
        _figure(shift.figures["auroc"]),
        f"{shift.figures['ind_flagged@95_ood_caught'].value:.3f}",
        f"{shift.figures['ood_missed@95_ind_kept'].value:.3f}",
        *([f"{shift.peers[BASELINE]:.3f}"] if baseline else []),
    ]


def _score_table(result: Evaluation) -> Table:
    """Mean AUROC of every score; with what hurts apart, where that is known. The best follow the bundle's own."""
    if result.split is None:
        means = Table(title="mean AUROC over shifts that no detector was fitted on")
        means.add_column("score")
        means.add_column("AUROC", justify="right")
        means.add_row("this monitor", f"{result.mean_auroc:.3f}")
        for name in result.shifts[0].peers:
            means.add_row(printable(name), f"{result.mean_peer(name):.3f}")
        return means
    own, *others = result.split.scores
    rate = result.manifest.operating_points[result.operating_point].false_alarm_rate
    table = Table(title="AUROC of every score, over shifts that no detector was fitted on")
    columns = ("cells that hurt", "worst kind", "frames that hurt", f"caught, {rate:g} of InD flagged", "all cells")
    for column in ("score", *columns):
        table.add_column(column, justify="left" if column == "score" else "right")
    ranked = sorted(others, key=lambda score: (-_or_zero(score.hurting_cells), -score.all_cells))
    shown = ranked[:_SHOWN_SCORES] + [score for score in ranked[_SHOWN_SCORES:] if score.name == BASELINE]
    for score in (own, *shown):
        table.add_row(
            printable(score.name),
            _number(score.hurting_cells),
            f"{score.worst_auroc:.3f} {score.worst_kind}" if score.worst_kind else "none",
            _number(score.hurting_frames),
            _number(score.caught),
            f"{score.all_cells:.3f}",
        )
    if len(shown) < len(others):
        table.caption = f"{len(others) - len(shown)} more scores: see --json or --report"
    return table


def _failure_table(result: Evaluation) -> Table:
    """Failure prediction of every score, between the oracle and frames in random order."""
    first, *others = result.failures
    ranked = sorted(others, key=lambda failure: failure.augrc.value)
    shown = ranked[:_SHOWN_SCORES] + [one for one in ranked[_SHOWN_SCORES:] if one.score_name == BASELINE]
    table = Table(title="how well a score ranks the labelled frames by mIoU; AURC and AUGRC: the lower, the better")
    for column in ("score", "Spearman with mIoU", "AURC", "AUGRC"):
        table.add_column(column, justify="left" if column == "score" else "right")
    table.add_row("oracle", "-1.00", f"{first.oracle_aurc:.3f}", f"{first.oracle_augrc:.4f}")
    for failure in (first, *shown):
        table.add_row(
            printable(failure.score_name),
            failure.spearman.text("+.2f", "+.2f"),
            failure.aurc.text(".3f", ".3f"),
            failure.augrc.text(".4f", ".3f"),
        )
    table.add_row("random order", "+0.00", f"{first.random_aurc:.3f}", f"{first.random_augrc:.4f}")
    return table


def _class_table(result: Evaluation) -> Table:
    """How often each class that frames in distribution show is right, and how sure the network is of it."""
    table = Table(title=f"classes of {result.reliability[0].name}")
    for column in CLASS_HEADER:
        table.add_column(column, justify="right")
    for row in class_rows(result):
        table.add_row(*row)
    return table


def _hurts(shift: Shift) -> str:
    return "?" if shift.hurting_share is None else f"{shift.hurting_share:.0%}"


def _figure(figure: Interval) -> str:
    return figure.text(".3f", ".2f", "-")


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value

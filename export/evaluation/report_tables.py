# SPDX-License-Identifier: Apache-2.0
"""Tables of a report as HTML."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import shorten

from export.evaluation.blind_spots import FEW_HURT
from export.evaluation.hurting import rule_sentence
from export.evaluation.hurting_split import ENOUGH, CellGroup, FrameGroup
from export.evaluation.interval import Interval
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.report_summary import blind_rule, interval_basis, missing_baseline
from export.evaluation.result import Evaluation
from export.evaluation.shift import Shift

_BRACKETED = re.compile(r"(.+) (\([^()]{1,18}\))")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table with a caption; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{_name(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{_name(row[0])}</th>' + "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    label = escape(shorten(caption, 60, placeholder=" ..."))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table><caption><span>{escape(caption)}'
        f"</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _name(text: str) -> str:
    """A name, which may go on in the next line behind an underscore."""
    return escape(text).replace("_", "_<wbr>")


def _cell(text: str) -> str:
    """A figure, and what stands in brackets behind it, may take a line each; neither is broken."""
    parts = _BRACKETED.fullmatch(text)
    return f"{escape(parts[1])} <span>{escape(parts[2])}</span>" if parts else escape(text)


def hurting_table(result: Evaluation) -> str:
    """What hurts and what does not, by frames and by cells, and how much of either is flagged."""
    if result.split is None:
        return "<p>It is not known which shifts hurt the segmentation: that takes degraded frames, or labels.</p>"
    groups = {
        "frames that hurt": result.split.hurting_frames,
        "frames that do not": result.split.harmless_frames,
        "cells that hurt, mean": result.split.hurting_cells,
        "cells that do not, mean": result.split.harmless_cells,
    }
    rows = [[name, *_group_cells(group)] for name, group in groups.items() if group is not None]
    header = ["", "how many", "AUROC", "missed at the threshold", "flagged", "worst kind by AUROC", "most missed kind"]
    rule = rule_sentence(result.split.rule)
    means = (
        f"In a mean over cells every cell counts alike; a kind is a mean over its cells. A kind of frames is all of its "
        f"frames together, {ENOUGH} or more where a kind has so many."
    )
    return table(header, rows, f"{rule} {means} {interval_basis(result)}")


def _group_cells(group: FrameGroup | CellGroup) -> list[str]:
    return [
        str(group.cells if isinstance(group, CellGroup) else group.frames),
        _interval(group.auroc),
        _interval(group.missed),
        f"{1 - group.missed.value:.3f}",
        f"{group.worst_kind} ({group.worst_auroc:.3f})",
        f"{group.most_missed_kind} ({group.most_missed:.3f})",
    ]


def blind_table(result: Evaluation) -> str:
    """Blind spots, the most missed frames first."""
    if not result.blind_spots:
        return "<p>None.</p>"
    rows = [
        [
            spot.name,
            f"{spot.frames}" if spot.known else f"{spot.frames} (not known whether they hurt)",
            f"{spot.missed:.1%}",
            f"{spot.auroc:.3f}",
            _iou(spot.mean_iou),
        ]
        for spot in result.blind_spots
    ]
    caption = f"{blind_rule()}; shifts of which less than {FEW_HURT:.0%} of the frames hurt are left out"
    return table(["shift", "frames that hurt", "missed", "their AUROC", "network's mIoU"], rows, caption)


def shift_table(result: Evaluation) -> str:
    """Every shift with all of its figures."""
    if not result.shifts:
        return "<p>No out-of-distribution frames were given, and no degradations were chosen.</p>"
    columns = {
        "AUROC": "auroc",
        "missed at the threshold": "miss_rate",
        "AUPR, OoD positive": "aupr_ood_positive",
        "AUPR, InD positive": "aupr_ind_positive",
        "InD flagged where 95 % of OoD is caught": "ind_flagged@95_ood_caught",
        "OoD missed where 95 % of InD is kept": "ood_missed@95_ind_kept",
        "accuracy": "accuracy",
        "MCC": "mcc",
        "F1": "f1",
    }
    blind = {spot.name for spot in result.blind_spots}
    baseline = BASELINE in result.ind.peers

    unstated = ["-"] * (len(columns) + baseline)

    def cells(shift: Shift) -> list[str]:
        return [
            shift.name + (" (blind spot)" if shift.name in blind else ""),
            str(len(shift.frames)),
            _hurts(shift),
            *(_shown(shift, [*columns.values()], baseline=baseline) if result.is_stated(shift) else unstated),
            _share(shift.mean_agreement),
            "no labels" if shift.mean_iou is None else _interval(shift.mean_iou),
        ]

    note = "" if baseline else f" {missing_baseline()}"
    header = ["shift", "frames", "frames that hurt", *(["AUROC of the picture alone"] if baseline else []), *columns]
    return table(
        [*header, "agreement with the clean class map", "network's mIoU"],
        map(cells, result.shifts),
        f"Every shift against {len(result.ind)} in-distribution frames (mIoU {_iou(result.ind.mean_iou)}), with 95 % "
        f"intervals where there are any; AUPR has none. {interval_basis(result)}{note}",
    )


def _shown(shift: Shift, names: Sequence[str], *, baseline: bool) -> list[str]:
    return [
        *([f"{shift.peers[BASELINE]:.3f}"] if baseline else []),
        *(_interval(shift.figures[name]) for name in names),
    ]


def drive_table(result: Evaluation) -> str:
    """In-distribution drives with false alarms."""
    if not result.drive_alarms:
        return f"<p>{escape(interval_basis(result))} Name the drives by --group-by.</p>"
    rows = [[row.drive, str(row.frames), str(row.flagged), f"{row.share:.1%}"] for row in result.drive_alarms]
    shown = [row for row in rows if row[2] != "0"]
    if not shown:
        return f"<p>None of the {len(rows)} in-distribution drives has a false alarm.</p>"
    caption = f"In-distribution drives with false alarms, {len(shown)} of {len(rows)}; the others have none"
    return table(["drive", "frames", "flagged", "share"], shown, caption)


def failure_table(result: Evaluation) -> str:
    """How well each score ranks the labelled frames by mIoU."""
    if not result.failures:
        return "<p>No labels were given: whether the score predicts the network's failures is not known.</p>"
    rows = [
        [
            failure.score_name,
            failure.spearman.text("+.2f", "+.2f"),
            failure.aurc.text(".4f", ".3f"),
            failure.augrc.text(".4f", ".3f"),
        ]
        for failure in result.failures
    ]
    first = result.failures[0]
    rows.append(["oracle", "-1.00", f"{first.oracle_aurc:.4f}", f"{first.oracle_augrc:.4f}"])
    rows.append(["random order", "+0.00", f"{first.random_aurc:.4f}", f"{first.random_augrc:.4f}"])
    caption = (
        "All labelled frames together; AURC: mean error of the accepted frames over all shares accepted; AUGRC: the same of "
        "the errors that pass unnoticed, a share of all frames; both the lower, the better. With 95 % intervals where there "
        f"are any; frames of every set belong to the drives of it. {interval_basis(result)}"
    )
    return table(["score", "Spearman with a frame's mIoU", "AURC", "AUGRC"], rows, caption)


def score_table(result: Evaluation) -> str:
    """Every score on what hurts, the best first behind the bundle's own."""
    if result.shifts and not result.judged:
        return "<p>No mean can be stated: it takes shifts of several frames, and several in-distribution ones.</p>"
    if result.split is None:
        return _peer_means(result)
    own, *others = result.split.scores
    ranked = [own, *sorted(others, key=lambda score: (math.isnan(score.hurting_cells), -score.hurting_cells))]
    rate = result.manifest.operating_points[result.operating_point].false_alarm_rate
    rows = [
        [
            score.name,
            _number(score.hurting_cells),
            f"{score.worst_kind} ({score.worst_auroc:.3f})" if score.worst_kind else "none",
            _number(score.hurting_frames),
            _number(score.caught),
            f"{score.all_cells:.3f}",
            *(f"{value:.3f}" for value in score.kinds.values()),
        ]
        for score in ranked
    ]
    header = [
        "score",
        "cells that hurt",
        "worst kind that hurts",
        "frames that hurt",
        f"caught where {rate:g} of InD is flagged",
        "all cells",
        *own.kinds,
    ]
    return table(
        header,
        rows,
        "Mean AUROC of every score over the cells that hurt, over all cells, and by kind over its severities; AUROC of the "
        "frames that hurt, and the share of them that is caught by a threshold taken from these in-distribution frames",
    )


def _peer_means(result: Evaluation) -> str:
    if not result.shifts:
        return ""
    names = list(result.shifts[0].peers)
    rows = [["this monitor", f"{result.mean_auroc:.3f}", *(f"{s.figures['auroc'].value:.3f}" for s in result.shifts)]]
    rows += [[n, f"{result.mean_peer(n):.3f}", *(f"{shift.peers[n]:.3f}" for shift in result.shifts)] for n in names]
    header = ["score", "mean", *(shift.name for shift in result.shifts)]
    return table(header, rows, "AUROC of other scores on the same frames")


def _hurts(shift: Shift) -> str:
    if shift.harm is None or shift.hurting_share is None:
        return "not known"
    return f"{shift.hurting_share:.0%}" + (" (the cell hurts)" if shift.harm.cell else "")


def _interval(figure: Interval) -> str:
    return figure.text(".3f", ".2f")


def _iou(value: float | None) -> str:
    return "no labels" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"

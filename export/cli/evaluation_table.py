# SPDX-License-Identifier: Apache-2.0
"""Print the result of an evaluation as tables."""

import sys

from rich.console import Console
from rich.table import Table

from export.evaluation.bootstrap import Interval
from export.evaluation.report_summary import summary
from export.evaluation.result import Evaluation


def print_evaluation(result: Evaluation) -> None:
    """Print figures by shift, mean AUROC of the other scores, and a summary."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"{result.manifest.name}, threshold {result.threshold:.4g} ({result.operating_point})")
    labelled = result.ind.mean_iou is not None
    columns = ("shift", "frames", "AUROC", "InD flagged, 95 % caught", "OoD missed, 95 % kept", "missed")
    for column in [*columns, *(["mIoU"] if labelled else [])]:
        table.add_column(column, justify="left" if column == "shift" else "right")
    for shift in result.shifts:
        names = ("ind_flagged@95_ood_caught", "ood_missed@95_ind_kept", "miss_rate")
        iou = [] if not labelled else ["-" if shift.frames.mean_iou is None else f"{shift.frames.mean_iou:.3f}"]
        table.add_row(
            shift.name,
            str(len(shift.frames.features)),
            _figure(shift.figures["auroc"]),
            *(f"{shift.figures[name].value:.3f}" for name in names),
            *iou,
        )
    console.print(table)
    if result.shifts:
        means = Table(title="mean AUROC over shifts that no detector was fitted on")
        means.add_column("score")
        means.add_column("AUROC", justify="right")
        means.add_row("this monitor", f"{result.mean_auroc:.3f}")
        for name in result.shifts[0].peers:
            means.add_row(name, f"{result.mean_peer(name):.3f}")
        console.print(means)
    for sentence in summary(result):
        console.print(sentence)
    for failure in result.failures:
        console.print(
            f"{failure.score_name}: Spearman {failure.spearman:+.2f} with a frame's mIoU, AURC {failure.aurc:.3f} "
            f"(oracle {failure.oracle_aurc:.3f}, random {failure.random_aurc:.3f}), AUGRC {failure.augrc:.3f} "
            f"(oracle {failure.oracle_augrc:.3f}, random {failure.random_augrc:.3f})"
        )


def _figure(figure: Interval) -> str:
    return f"{figure.value:.3f} ({figure.low:.2f}-{figure.high:.2f})"

# SPDX-License-Identifier: Apache-2.0
"""A benchmark as a page of Markdown."""

from collections.abc import Sequence

from export.benchmark.prepare import PreparedSet
from export.benchmark.result import BenchmarkResult
from export.evaluation.mask_judge import MaskFigures
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.shift import Shift

_METHODS = {
    "stretch": "stretched to the camera's size",
    "crop": "cropped around the centre to the camera's shape, and scaled",
}


def markdown(result: BenchmarkResult) -> str:
    """The tables of a benchmark, with what was skipped and what limits the figures."""
    ind, evaluation = result.ind, result.evaluation
    rate = evaluation.false_alarm_rate
    iou = evaluation.ind.mean_iou
    lines = [
        f"# {evaluation.manifest.name} on published data sets",
        "",
        f"In distribution: {ind.frames} frames of {ind.choice.layout.title} ({ind.choice.split}), {ind.drives} "
        f"{'drive' if ind.drives == 1 else 'drives'}. At the threshold {evaluation.threshold:.4g} "
        f"({evaluation.operating_point}) {rate.text('.1%', '.1%')} of them are flagged"
        + (f"; mIoU {iou:.3f}." if iou is not None else "."),
        "",
        *_shift_table(result),
        *_pixel_table(result),
        *_skipped(result),
        "",
        *(f"- {remark}" for remark in _remarks(result)),
    ]
    return "\n".join(lines) + "\n"


def _shift_table(result: BenchmarkResult) -> list[str]:
    header = ["set", "frames", "drives", "AUROC", "FPR95: InD flagged, 95 % caught", "missed at the threshold"]
    header += ["picture alone, AUROC"] * result.has_baseline + ["mIoU"] * result.has_labels
    return _table(header, [_shift_row(result, prepared, shift) for prepared, shift, _ in result.rows()])


def _shift_row(result: BenchmarkResult, prepared: PreparedSet, shift: Shift) -> list[str]:
    stated, iou = result.evaluation.is_stated(shift), shift.frames.mean_iou
    figures = [
        shift.figures["auroc"].text(".3f", ".2f"),
        f"{shift.figures['ind_flagged@95_ood_caught'].value:.3f}",
        f"{shift.figures['miss_rate'].value:.3f}",
        *([f"{shift.peers[BASELINE]:.3f}"] if result.has_baseline else []),
    ]
    return [
        shift.name + (" \\*" if prepared.resized else ""),
        str(prepared.frames),
        str(prepared.drives),
        *(figures if stated else ["-"] * len(figures)),
        *(["-" if iou is None else f"{iou:.3f}"] if result.has_labels else []),
    ]


def _pixel_table(result: BenchmarkResult) -> list[str]:
    judged = [(prepared, masks) for prepared, _, masks in result.rows() if masks is not None]
    if not judged:
        return []
    header = ["set", "unknown pixels", "average precision", "FPR95: false pixels at 95 % found", "AUROC"]
    header += ["objects found", "false objects", "sIoU"]
    return ["", "Pixels of the anomaly map, by masks:", "", *_table(header, [_pixel_row(*pair) for pair in judged])]


def _pixel_row(prepared: PreparedSet, masks: MaskFigures) -> list[str]:
    def text(name: str) -> str:
        figure = masks.figure(name)
        return "-" if figure is None else figure.text(".3f", ".2f")

    share = "-" if masks.pixels is None else f"{masks.pixels.unknown_share:.2%}"
    found = f"{masks.caught} of {masks.objects}"
    return [
        prepared.name + (" \\*" if prepared.resized else ""),
        share,
        *map(text, ("average_precision", "fpr95", "auroc")),
        found,
        str(masks.false_objects),
        text("siou"),
    ]


def _skipped(result: BenchmarkResult) -> list[str]:
    there = [[f"`{name}`", reason.replace("|", "\\|")] for name, reason, missing in result.skipped if not missing]
    absent = [f"`{name}`" for name, _, missing in result.skipped if missing]
    lines = ["", "Skipped:", "", *_table(["data set", "why"], there)] if there else []
    return [*lines, *(["", f"Not there: {', '.join(absent)}."] if absent else [])]


def _remarks(result: BenchmarkResult) -> list[str]:
    resized = result.ind.resized + sum(prepared.resized for prepared in result.sets)
    remarks = [
        "Another data set is another camera, another country and another coding, which plain colour and contrast tell apart: "
        "a high AUROC is a result where the picture alone does worse"
        + ("." if result.has_baseline else ", which `--fit` shows.")
    ]
    if resized:
        remarks.append(
            f"\\* Frames were {_METHODS[result.options.resize or 'stretch']} (bilinear with an antialiasing filter; labels "
            "and masks by the nearest pixel). They differ in sharpness from the camera's own, which a detector may see."
        )
    if result.evaluation.calibration_frames:
        remarks.append(
            f"{result.evaluation.calibration_frames} of the frames in distribution set the detector or its thresholds: their "
            "figures are better than those of new frames."
        )
    if result.labels is not None:
        remarks.append(f"No class map was compared with labels: {result.labels}.")
    if result.masks is not None and any(prepared.choice.layout.masks_unknown for prepared in result.sets):
        remarks.append(f"No pixels were judged by masks: {result.masks}.")
    return remarks


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---"] + ["---:"] * (len(header) - 1) if len(header) > 2 else ["---"] * len(header)
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]

# SPDX-License-Identifier: Apache-2.0
"""Verdicts as a table, as CSV and as JSON, and a manifest in words."""

import csv
import dataclasses
import json
import sys
from collections.abc import Iterable
from typing import TextIO

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import PRECISIONS, Detector, Manifest, OperatingPoint, Precision

COLUMNS = tuple(field.name for field in dataclasses.fields(Assessment) if field.name != "segmentation")
Verdicts = Iterable[tuple[str, Assessment]]

_WORDS = {
    State.OK: "ok",
    State.OUT_OF_DISTRIBUTION: "OUT OF DISTRIBUTION",
    State.INVALID: "INVALID",
    State.LATE: "LATE",
}


def write_table(verdicts: Verdicts, out: TextIO, name_width: int) -> None:
    """Write a line for each frame as its verdict comes; ``name_width`` is that of the longest frame name to come."""
    row = f"{{:<{name_width}}}  {{:>10}}  {{:>10}}  {{:>7}}  {{:<19}}  {{:>8}}\n"
    out.write(row.format("frame", "score", "threshold", "p-value", "verdict", "ms"))
    for name, verdict in verdicts:
        score, threshold, p_value = f"{verdict.score:.3f}", f"{verdict.threshold:.3f}", f"{verdict.p_value:.4f}"
        out.write(row.format(name, score, threshold, p_value, _WORDS[verdict.state], f"{verdict.latency_ms:.1f}"))


def write_csv(verdicts: Verdicts, out: TextIO) -> None:
    """Write a header and a line for each frame, numbers to the last digit; one that is not finite stays empty."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("frame", *COLUMNS))
    for name, verdict in verdicts:
        values = verdict.asdict()
        writer.writerow((name, *(values[column] for column in COLUMNS)))


def write_json(verdicts: Verdicts, out: TextIO) -> None:
    """Write one list of objects once all frames have their verdict."""
    json.dump([{"frame": name, **verdict.asdict()} for name, verdict in verdicts], out, indent=1, allow_nan=False)
    out.write("\n")


def describe(manifest: Manifest) -> str:
    """What an engineer wants to know of a bundle, a line a subject."""
    contract, segmentation, masks, detector = manifest.input, manifest.segmentation, manifest.masks, manifest.detector
    calibration, parity = manifest.calibration, manifest.parity
    scores = calibration.scores
    picked = {share: scores[round(share * (len(scores) - 1))] for share in (0, 0.25, 0.5, 0.75, 1)}
    quantiles = ", ".join(f"{share:.0%} {score:.3f}" for share, score in picked.items())
    lines = {
        "name": manifest.name,
        "created": f"{manifest.created}, schema {manifest.schema}",
        "frame": f"({contract.frame_height}, {contract.frame_width}, 3) uint8, {contract.channels.upper()}",
        "network sees": f"{contract.network_height} x {contract.network_width}, {contract.resize}, "
        f"mean {_numbers(contract.mean)}, std {_numbers(contract.std)}",
        "segmentation": "none"
        if segmentation.kind == "none"
        else f"{segmentation.kind}, {segmentation.num_classes} classes, {segmentation.height} x {segmentation.width}",
        "tap": f"{', '.join(manifest.tap.layers)}: {manifest.tap.channels} dimensions",
        "masks": f"{masks.count} {masks.mode}, seed {masks.seed}, drop probability {masks.drop_prob}, "
        f"block {masks.block_size}",
        "entropy": f"{manifest.entropy.neighbors} neighbours, distances from {manifest.entropy.min_dist:g}",
        "detector": detector_line(detector),
        "chosen because": detector.reason,
        **{
            f"threshold {name}": operating_point(point) + (" [default]" if name == manifest.operating_point else "")
            for name, point in manifest.operating_points.items()
        },
        "calibration": f"{len(scores)} scores worth {calibration.effective_frames:.0f} independent ones, "
        f"quantiles {quantiles} ({calibration.source})",
        **{f"warning {i}": warning for i, warning in enumerate(calibration.warnings, 1)},
        "parity": f"{parity.frames} frames: latent {parity.latent_max_abs:.2g}, "
        f"segmentation {parity.segmentation_disagreement:.2g}, score {parity.score_max_abs:.2g}",
        "precision": precision_line(manifest.precision),
        "golden frames": ", ".join(
            f"{name} within {allowed:.3g}" for name, allowed in manifest.golden.tolerance.items()
        ),
        "versions": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
        "files": ", ".join(f"{name} ({record.bytes:,} bytes)" for name, record in manifest.files.items()),
    }
    width = max(map(len, lines))
    return "".join(f"{subject:<{width}} {text}\n" for subject, text in lines.items())


def operating_point(point: OperatingPoint) -> str:
    """A threshold and what it promises, in one line."""
    new = "nothing" if point.new_drive_rate is None else f"at most {point.new_drive_rate:.1%}"
    return (
        f"{point.value:.3f} for {point.false_alarm_rate:.1%} false alarms; {point.rate_low:.1%} to {point.rate_high:.1%} "
        f"({point.confidence:.0%} interval) on known drives, {new} promised on new ones ({point.rule})"
    )


def detector_line(detector: Detector, noun: str | None = None) -> str:
    """What a detector was fitted on and what it learned, in one line.

    Args:
        detector: from the manifest.
        noun: what it is, in place of its short name.
    """
    ood = f" and {detector.fit_ood_frames} out-of-distribution frames" if detector.fit_ood_frames else ""
    scaled = ", standardised" if detector.standardise else ""
    pca = f", {detector.pca_components} whitened principal components" if detector.pca_components else ""
    learned = "".join(
        f", {name} {value:.4g}" for name, value in detector.parameters.items() if isinstance(value, float)
    )
    return f"{noun or detector.kind} on {detector.fit_frames} frames{ood}{scaled}{pca}{learned}"


def precision_line(precision: Precision) -> str:
    """In how many bits the network computes and what they cost, in one line."""
    if precision.kind == PRECISIONS[0]:
        return precision.kind
    kept = f", {len(precision.float_layers)} layers in float" if precision.float_layers else ""
    return (
        f"{precision.kind}{kept}; against float32 over {precision.frames} frames: {precision.flips:.1%} decided otherwise, "
        f"AUROC {-precision.auroc_loss:+.4f}, {precision.pixel_changes:.2%} of pixels of another class"
    )


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


class Progress:
    """A count of frames on stderr, on a terminal alone; it leaves no line behind.

    Args:
        shown: false where something else shows the progress already, as a table on the same terminal does.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()

    def show(self, count: int) -> None:
        """Say how many frames have been scored."""
        if self._shown:
            print(f"\r{count} frames scored", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

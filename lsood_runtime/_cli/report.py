# SPDX-License-Identifier: Apache-2.0
"""Verdicts as a table, as CSV and as JSON, and a manifest as text."""

import dataclasses
import json
import sys
from collections.abc import Iterable
from typing import TextIO

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.sentences import detector_sentence, operating_point_sentence, precision_sentence
from lsood_runtime._text.csv_table import CsvTable

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
    table = CsvTable(out, ["frame", *COLUMNS])
    for name, verdict in verdicts:
        table.write({"frame": name, **verdict.asdict()})


def write_json(verdicts: Verdicts, out: TextIO) -> None:
    """Write one list of objects once all frames have their verdict."""
    json.dump([{"frame": name, **verdict.asdict()} for name, verdict in verdicts], out, indent=1, allow_nan=False)
    out.write("\n")


def describe(manifest: Manifest) -> str:
    """What an engineer wants to know of a bundle, a line a subject."""
    contract, segmentation, masks = manifest.input, manifest.segmentation, manifest.masks
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
        "detector": detector_sentence(manifest.detector),
        "chosen because": manifest.detector.reason,
        **{
            f"threshold {name}": operating_point_sentence(point)
            + (" [default]" if name == manifest.operating_point else "")
            for name, point in manifest.operating_points.items()
        },
        "calibration": f"{len(scores)} scores worth {calibration.effective_frames:.0f} independent ones, "
        f"quantiles {quantiles} ({calibration.source})",
        **{f"warning {i}": warning for i, warning in enumerate(calibration.warnings, 1)},
        "parity": f"{parity.frames} frames: latent {parity.latent_max_abs:.2g}, "
        f"segmentation {parity.segmentation_disagreement:.2g}, score {parity.score_max_abs:.2g}",
        "precision": precision_sentence(manifest.precision),
        "golden frames": ", ".join(
            f"{name} within {allowed:.3g}" for name, allowed in manifest.golden.tolerance.items()
        ),
        "versions": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
        "files": ", ".join(f"{name} ({record.bytes:,} bytes)" for name, record in manifest.files.items()),
    }
    width = max(map(len, lines))
    return "".join(f"{subject:<{width}} {text}\n" for subject, text in lines.items())


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


class FrameCounter:
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

# SPDX-License-Identifier: Apache-2.0
"""Print a bundle that was just written as a table."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from export.cli.pipe_console import output_console
from export.pipeline.capabilities import FORMATS
from export.precision.options import FLOAT32
from lsood_runtime import Manifest
from lsood_runtime.offline import (
    answer_sentences,
    detector_sentence,
    floor_sentence,
    operating_point_sentence,
    part_sentence,
    precision_sentence,
    printable,
    sha256_hex,
)


def print_exported(bundle: Path, manifest: Manifest) -> None:
    """Print what an export wrote: network, tap, masks, calibration and parity."""
    masks, parity = manifest.masks, manifest.parity
    rows = {
        "network": f"{manifest.name}, {manifest.input.network_height} x {manifest.input.network_width}",
        "frames": f"{manifest.input.frame_height} x {manifest.input.frame_width} {manifest.input.channels} uint8",
        "tap": f"{', '.join(manifest.tap.layers)}, {manifest.tap.channels} dimensions",
        "masks": f"{masks.count} {masks.mode}, p = {masks.drop_prob:g}"
        + (f", b = {masks.block_size}" if masks.block_size else ""),
        **_calibration_rows(manifest),
        "parity": f"latent {parity.latent_max_abs:.1e}, segmentation {parity.segmentation_disagreement:.1e}, "
        f"score {parity.score_max_abs:.1e} over {parity.frames} frames{floor_sentence(parity.floor)}",
    }
    if manifest.precision.kind != FLOAT32:
        rows["precision"] = precision_sentence(manifest.precision)
    more = [name for row in FORMATS[1:] for name in row.files if name in manifest.files]
    if more:
        rows["also"] = ", ".join(more)
    _print(bundle, rows)


def print_calibrated(bundle: Path, manifest: Manifest) -> None:
    """Print what a calibration changed: detector and thresholds."""
    _print(bundle, _calibration_rows(manifest))


def digest_text(manifest: Manifest) -> str:
    """The digest of a manifest as it was written: the value for ``expected_sha256``, which covers the whole bundle."""
    return f"manifest sha256 {sha256_hex(manifest.to_json().encode())}"


def _calibration_rows(manifest: Manifest) -> dict[str, str]:
    """Rows for detector, thresholds and warnings."""
    return {
        "detector": f"{detector_sentence(manifest.detector)}; {manifest.detector.reason}",
        **{f"part {part.name}": part_sentence(part) for part in manifest.detector.parts},
        **{f"threshold {name}": operating_point_sentence(point) for name, point in manifest.operating_points.items()},
        **answer_sentences(manifest.answers),
        "calibration": f"{manifest.calibration.source}, "
        f"equivalent to {manifest.calibration.effective_frames:.0f} independent frames",
        **{f"warning {i}": warning for i, warning in enumerate(manifest.calibration.warnings, 1)},
        **{f"advice {i}": advice for i, advice in enumerate(manifest.calibration.advice, 1)},
    }


def _print(bundle: Path, rows: Mapping[str, str]) -> None:
    table = Table(title=printable(str(bundle)), show_header=False, title_justify="left")
    table.add_column(overflow="fold")  # names of layers differ at their ends
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(printable(name), printable(value))
    output_console().print(table)

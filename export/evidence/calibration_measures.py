# SPDX-License-Identifier: Apache-2.0
"""Figures of requirements that the bundle alone gives: thresholds, calibration, parity, precision, digests."""

import math

from export.bundle.parity_check import MOST, SEGMENTATION_TOLERANCE
from export.evidence.claims import EvidenceFigure
from export.evidence.json_pointer import pointer
from export.evidence.sources import EvidenceSources, UnmeasuredError
from lsood_runtime.offline import MANIFEST_FILE, sha256_hex

MOST_CHANGED_CLASSES = MOST * SEGMENTATION_TOLERANCE
"""Share of pixels of another class that the parity gate lets pass at most."""


def expected_rate(sources: EvidenceSources) -> list[EvidenceFigure]:
    """The rate of false alarms that the calibration expects on new drives."""
    point, name = sources.manifest.operating_points[sources.operating_point], sources.operating_point
    if point.new_drives_expected is None:
        raise UnmeasuredError("A calibration of one drive tells nothing of new ones.")
    calibration = sources.manifest.calibration
    return [
        EvidenceFigure(
            "false alarms expected on new drives",
            MANIFEST_FILE,
            pointer("operating_points", name, "new_drives_expected"),
            point.new_drives_expected,
            point.new_drives_low,
            point.new_drives_high,
            len(calibration.scores),
            len(calibration.drives),
        )
    ]


def calibration_drives(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many drives set the threshold."""
    drives = sources.manifest.calibration.drives
    return [
        EvidenceFigure(
            "drives that set the threshold",
            MANIFEST_FILE,
            "/calibration/drives",
            len(drives),
            frames=sum(drives.values()),
            unit="number",
        )
    ]


def enough_drives(sources: EvidenceSources) -> float:
    """Drives without which no threshold keeps the declared rate for a new one."""
    return math.ceil(1 / sources.declared_rate - 1 - 1e-9)


def calibration_warnings(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many reasons not to rely on the thresholds the calibration found."""
    count = len(sources.manifest.calibration.warnings)
    return [EvidenceFigure("warnings of the calibration", MANIFEST_FILE, "/calibration/warnings", count, unit="number")]


def changed_files(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many files of the bundle have another digest than its manifest records."""
    records, files = sources.manifest.files, sources.bundle.files
    changed = sum(sha256_hex(files[name]) != record.sha256 for name, record in records.items())
    return [EvidenceFigure(f"of {len(records)} files changed", MANIFEST_FILE, "/files", changed, unit="number")]


def score_parity(sources: EvidenceSources) -> list[EvidenceFigure]:
    """The largest difference of a score from PyTorch's, as a share of the tolerance of golden frames on a GPU."""
    parity, tolerance = sources.manifest.parity, sources.manifest.golden.tolerance["gpu"]
    if tolerance <= 0:
        raise UnmeasuredError("The tolerance of the golden frames is 0.")
    share = parity.score_max_abs / tolerance
    name = "largest difference of a score from PyTorch's, of the tolerance"
    return [EvidenceFigure(name, MANIFEST_FILE, "/parity/score_max_abs", share, frames=parity.frames)]


def class_parity(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the pixels that got another class than from PyTorch, near ties left out where these were told apart."""
    parity = sources.manifest.parity
    place, share = "/parity/segmentation_disagreement", parity.segmentation_disagreement
    if parity.floor.frames:
        place, share = "/parity/floor/firm_disagreement", parity.floor.firm_disagreement
    return [EvidenceFigure("pixels of another class than PyTorch's", MANIFEST_FILE, place, share, frames=parity.frames)]


def precision_flips(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the decisions that fewer bits changed."""
    record = sources.manifest.precision
    return [
        EvidenceFigure(
            "decisions changed by fewer bits", MANIFEST_FILE, "/precision/flips", record.flips, frames=record.frames
        )
    ]

# SPDX-License-Identifier: Apache-2.0
"""Describe records of a manifest in one line each, for reports, model cards and terminals."""

from lsood_runtime._bundle.records import (
    PRECISIONS,
    DetectorRecord,
    FloorRecord,
    OperatingPoint,
    PartRecord,
    PixelsRecord,
    PrecisionRecord,
)
from lsood_runtime._text.counted import counted


def operating_point_sentence(point: OperatingPoint) -> str:
    """Describe a threshold, what is proven of its false-alarm rate, and what is expected."""
    proven = f" (at most {point.proven_rate:.1%} proven)" if point.folds and point.proven_rate is not None else ""
    interval = f"{point.rate_low:.1%} to {point.rate_high:.1%}"
    return (
        f"{point.value:.3f} for {point.false_alarm_rate:.1%} false alarms{proven}; {interval} "
        f"({point.confidence:.0%} interval) on known drives, {new_drives_sentence(point)} ({point.rule})"
    )


def new_drives_sentence(point: OperatingPoint) -> str:
    """Describe what a threshold promises on frames of new drives: the rate that is expected, and the bound that is proven."""
    expected = ""
    if None not in (point.new_drives_expected, point.new_drives_low, point.new_drives_high):
        expected = (
            f"{point.new_drives_expected:.1%} expected on new ones, {point.new_drives_low:.1%} to "
            f"{point.new_drives_high:.1%}; "
        )
    if point.new_drive_rate is None:
        return "nothing guaranteed on new ones"
    if point.folds:
        return f"{expected}at most {point.new_drive_rate:.1%} proven there, for the detectors of the folds"
    return f"{expected}at most {point.new_drive_rate:.1%} guaranteed on new ones"


def detector_sentence(detector: DetectorRecord, noun: str | None = None) -> str:
    """Describe a detector: the frames and steps of its fit, and the numbers that it learned.

    Args:
        detector: the record.
        noun: what the detector is, in words; None for its kind.
    """
    ood = f" and {detector.fit_ood_frames} out-of-distribution frames" if detector.fit_ood_frames else ""
    scaled = ", standardised" if detector.standardise else ""
    pca = f", {counted(detector.pca_components, 'whitened principal component')}" if detector.pca_components else ""
    learned = "".join(
        f", {name} {value:.4g}" for name, value in detector.parameters.items() if isinstance(value, float)
    )
    parts = f", the sum of {counted(len(detector.parts), 'part')}" if detector.parts else ""
    return f"{noun or detector.kind} on {counted(detector.fit_frames, 'frame')}{ood}{scaled}{pca}{learned}{parts}"


def part_sentence(part: PartRecord) -> str:
    """Describe one part of a score: its detector, what it reads, and how its raw score becomes a share."""
    return (
        f"{part.kind} of {', '.join(part.features)}; weight {part.weight:.4g}, "
        f"centre {part.centre:.4g}, scale {part.scale:.4g}"
    )


def precision_sentence(precision: PrecisionRecord) -> str:
    """Describe the precision of the network and its cost."""
    if precision.kind == PRECISIONS[0]:
        return precision.kind
    kept = f", {len(precision.float_layers)} layers in float" if precision.float_layers else ""
    return (
        f"{precision.kind}{kept}; against float32 over {counted(precision.frames, 'frame')}: "
        f"{precision.flips:.1%} decided otherwise, "
        f"AUROC {-precision.auroc_loss:+.4f}, {precision.pixel_changes:.2%} of pixels of another class"
    )


def floor_sentence(floor: FloorRecord) -> str:
    """Describe the rounding of the network itself, to be read behind the differences of its graphs; empty where unknown."""
    if not floor.frames:
        return ""
    return (
        f"; the network's own rounding, float32 against float64 over {counted(floor.frames, 'frame')}: latent "
        f"{floor.latent_max_abs:.1e}, segmentation {floor.segmentation_disagreement:.1e}, score {floor.score_max_abs:.1e}; "
        f"{floor.near_ties:.2%} of pixels near a tie, {floor.firm_disagreement:.1e} of another class and not near one"
    )


def pixels_sentence(pixels: PixelsRecord) -> str:
    """Describe how images are read that do not say what their values mean."""
    words = [
        "grey ones as colour" * pixels.grey,
        f"{pixels.bits} of 16 bits" if pixels.bits else "",
        f"{' or '.join(pixels.encodings)} where channels have no names" if pixels.encodings else "",
        f"YUV in {pixels.yuv}" if pixels.yuv else "",
    ]
    return ", ".join(filter(None, words)) or "as they state themselves, refused where they do not"

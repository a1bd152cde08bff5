# SPDX-License-Identifier: Apache-2.0
"""Check the values of a manifest, beyond their types."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lsood_runtime._bundle.records import (
    ENTROPY,
    LATENT_SAMPLES,
    PRECISIONS,
    CalibrationRecord,
    GoldenRecord,
    InputContract,
    MasksRecord,
    OperatingPoint,
    PartRecord,
    PixelsRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
)

_OTHER_NAMES = {"", "frame", "segmentation", ENTROPY, "score", "parts"}
"""Names of inputs and outputs of the graphs that are no features."""

Check = tuple[str, bool, str, object]
"""Name of the field, whether its value is valid, what was expected, the value."""


def of_input(contract: InputContract) -> Iterator[Check]:
    """Check that both channel orders are known, sizes are positive, the crop lies inside the frame."""
    sizes = (contract.frame_height, contract.frame_width, contract.network_height, contract.network_width)
    crop = contract.crop or (0, 0, contract.frame_height, contract.frame_width)
    inside = len(crop) == 4 and min(crop[:2]) >= 0 and min(crop[2:]) >= 1
    inside = inside and crop[0] + crop[2] <= contract.frame_height and crop[1] + crop[3] <= contract.frame_width
    yield "input.channels", contract.channels in ("rgb", "bgr"), "rgb or bgr", contract.channels
    order = contract.network_channels
    yield "input.network_channels", order in ("rgb", "bgr"), "rgb or bgr", order
    yield "input", min(sizes) >= 1, "sizes of at least 1", sizes
    yield "input.crop", inside, "top, left, height and width inside the frame", contract.crop


def of_masks(masks: MasksRecord) -> Iterator[Check]:
    """Check that the mode is known; noise shapes stand with mode ``input`` alone."""
    mode, noise = masks.mode, masks.noise
    fits = (mode == "input") == (len(noise) > 0) and all(size >= 1 for shape in noise for size in shape)
    yield "masks.mode", mode in ("fixed", "fresh", "input"), "fixed, fresh or input", mode
    yield "masks.noise", fits, f"shapes that fit mode {mode}", noise


def of_segmentation(segmentation: SegmentationRecord) -> Iterator[Check]:
    """Check that the kind is known; sizes stand where there is an output."""
    kind, sizes = segmentation.kind, (segmentation.num_classes, segmentation.height, segmentation.width)
    yield "segmentation.kind", kind in ("classes", "logits", "none"), "classes, logits or none", kind
    yield "segmentation", kind == "none" or None not in sizes, f"sizes for {kind}", sizes


def of_features(features: Mapping[str, tuple[int, ...]], masks: MasksRecord, tap: TapRecord) -> Iterator[Check]:
    """Check that there are features, that no other input or output has their names, and that their sizes are positive."""
    names, others = features.keys(), _OTHER_NAMES | set(masks.noise_names)
    positive = all(len(shape) > 0 and min(shape) >= 1 for shape in features.values())
    samples = (masks.count, tap.channels)
    yield "features", len(names) > 0 and names.isdisjoint(others), "one or more features by name", tuple(names)
    yield "features", positive, "shapes with sizes of at least 1", features
    yield (
        f"features.{LATENT_SAMPLES}",
        features.get(LATENT_SAMPLES, samples) == samples,
        f"{samples}, by masks.count and tap.channels",
        features.get(LATENT_SAMPLES),
    )


def of_parts(parts: Sequence[PartRecord], features: Mapping[str, tuple[int, ...]]) -> Iterator[Check]:
    """Check that parts have names of their own, read features of the bundle, and can only raise the score."""
    readable = {ENTROPY if name == LATENT_SAMPLES else name for name in features}
    names = [part.name for part in parts]
    yield "detector.parts", "" not in names and len(set(names)) == len(names), "parts with names of their own", names
    for i, part in enumerate(parts):
        where, read = f"detector.parts[{i}]", set(part.features)
        of_bundle = len(part.features) > 0 and read <= readable
        yield f"{where}.features", of_bundle, f"features among {', '.join(sorted(readable))}", part.features
        yield f"{where}.scale", part.scale > 0, "above 0", part.scale
        yield f"{where}.weight", part.weight >= 0, "0 or more", part.weight


def of_operating_points(chosen: str, points: Mapping[str, OperatingPoint]) -> Iterator[Check]:
    """Check that the default is one of them; rates lie between 0 and 1; guarantees are known."""
    rates = [rate for point in points.values() for rate in (point.false_alarm_rate, point.confidence)]
    guarantees = {point.guarantee for point in points.values()}
    yield "operating_point", chosen in points, f"one of {', '.join(points)}", chosen
    yield "operating_points", all(0 < rate < 1 for rate in rates), "rates between 0 and 1", rates
    yield (
        "operating_points",
        guarantees <= {"frames", "drives"},
        "guarantees for frames or drives",
        sorted(guarantees),
    )


def of_calibration(calibration: CalibrationRecord) -> Iterator[Check]:
    """Check that there are scores, in ascending order."""
    scores = calibration.scores
    ascending = len(scores) > 0 and all(a <= b for a, b in pairwise(scores))
    yield "calibration.scores", ascending, "one or more ascending scores", scores


def of_precision(precision: PrecisionRecord) -> Iterator[Check]:
    """Check that the kind is known."""
    yield "precision.kind", precision.kind in PRECISIONS, ", ".join(PRECISIONS), precision.kind


def of_golden(golden: GoldenRecord) -> Iterator[Check]:
    """Check that there is a tolerance for each kind of provider."""
    yield "golden.tolerance", {"cpu", "gpu"} <= golden.tolerance.keys(), "cpu and gpu", golden.tolerance


def of_pixels(pixels: PixelsRecord) -> Iterator[Check]:
    """Check that the number of bits is one that an image of 16 bits can have."""
    yield "pixels.bits", pixels.bits in (None, *range(9, 17)), "9 to 16, or null", pixels.bits

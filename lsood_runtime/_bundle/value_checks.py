# SPDX-License-Identifier: Apache-2.0
"""Check the values of a manifest, beyond their types."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lsood_runtime._bundle.digests import is_sha256
from lsood_runtime._bundle.files import LARGEST_FILE
from lsood_runtime._bundle.records import (
    ENTROPY,
    LATENT_SAMPLES,
    PRECISIONS,
    CalibrationRecord,
    DetectorRecord,
    EntropyRecord,
    FileRecord,
    GoldenRecord,
    InputContract,
    MasksRecord,
    OperatingPoint,
    ParityRecord,
    PartRecord,
    PixelsRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
)

_OTHER_NAMES = {"", "frame", "segmentation", ENTROPY, "score", "parts"}
"""Names of inputs and outputs of the graphs that are no features."""

_LARGEST_SIZE, _LARGEST_SEED = 2**16, 2**64 - 1

Check = tuple[str, bool, str, object]
"""Name of the field, whether its value is valid, what was expected, the value."""


def of_input(contract: InputContract) -> Iterator[Check]:
    """Check that both channel orders are known, sizes are in range, the crop lies inside the frame."""
    sizes = (contract.frame_height, contract.frame_width, contract.network_height, contract.network_width)
    crop = contract.crop or (0, 0, contract.frame_height, contract.frame_width)
    inside = len(crop) == 4 and min(crop[:2]) >= 0 and min(crop[2:]) >= 1
    inside = inside and crop[0] + crop[2] <= contract.frame_height and crop[1] + crop[3] <= contract.frame_width
    yield "input.channels", contract.channels in ("rgb", "bgr"), "rgb or bgr", contract.channels
    order = contract.network_channels
    yield "input.network_channels", order in ("rgb", "bgr", "grey"), "rgb or bgr, or grey", order
    yield (
        "input",
        all(1 <= size <= _LARGEST_SIZE for size in sizes),
        f"sizes of at least 1 and at most {_LARGEST_SIZE}",
        sizes,
    )
    count = 1 if order == "grey" else 3
    yield "input.mean", len(contract.mean) == count, "one number a channel", contract.mean
    yield (
        "input.std",
        len(contract.std) == count and min(contract.std) > 0,
        "one number above 0 a channel",
        contract.std,
    )
    fits = len(contract.pad) == 2 and all(0 <= length <= _LARGEST_SIZE for length in contract.pad)
    yield "input.pad", fits, f"two sizes from 0 to {_LARGEST_SIZE}", contract.pad
    yield "input.crop", inside, "top, left, height and width inside the frame", contract.crop


def of_masks(masks: MasksRecord) -> Iterator[Check]:
    """Check that the mode is known and its numbers are in range; noise shapes stand with mode ``input`` alone."""
    mode, noise = masks.mode, masks.noise
    fits = (mode == "input") == (len(noise) > 0) and all(size >= 1 for shape in noise for size in shape)
    yield "masks.mode", mode in ("fixed", "fresh", "input"), "fixed, fresh or input", mode
    yield "masks.noise", fits, f"shapes that fit mode {mode}", noise
    yield "masks.count", masks.count >= 0, "0 or more", masks.count
    yield "masks.seed", 0 <= masks.seed <= _LARGEST_SEED, "from 0 to 2**64 - 1", masks.seed
    yield "masks.drop_prob", 0 <= masks.drop_prob <= 1, "from 0 to 1", masks.drop_prob
    yield "masks.block_size", masks.block_size is None or masks.block_size >= 1, "at least 1", masks.block_size


def of_segmentation(segmentation: SegmentationRecord) -> Iterator[Check]:
    """Check that the kind is known; sizes stand where there is an output, and are in range."""
    kind, sizes = segmentation.kind, (segmentation.num_classes, segmentation.height, segmentation.width)
    yield "segmentation.kind", kind in ("classes", "logits", "none"), "classes, logits or none", kind
    yield "segmentation", kind == "none" or None not in sizes, f"sizes for {kind}", sizes
    in_range = all(size is None or 1 <= size <= _LARGEST_SIZE for size in sizes)
    yield "segmentation", in_range, f"sizes from 1 to {_LARGEST_SIZE}", sizes


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


def of_entropy(entropy: EntropyRecord) -> Iterator[Check]:
    """Check that the constants of the entropy are in range."""
    yield "entropy.neighbors", entropy.neighbors >= 1, "at least 1", entropy.neighbors
    yield "entropy.min_dist", entropy.min_dist > 0, "above 0", entropy.min_dist


def of_detector(detector: DetectorRecord) -> Iterator[Check]:
    """Check that counts are in range."""
    counts = (detector.fit_frames, detector.fit_ood_frames)
    yield "detector.fit_frames", min(counts) >= 0, "0 or more", counts
    components = detector.pca_components
    yield "detector.pca_components", components is None or components >= 1, "at least 1", components


def of_operating_points(chosen: str, points: Mapping[str, OperatingPoint]) -> Iterator[Check]:
    """Check that the default is one of them; rates lie between 0 and 1; guarantees and weights are known."""
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
    for name, point in points.items():
        where, bounds = f"operating_points.{name}", (point.rate_low, point.rate_high)
        yield f"{where}.weigh", point.weigh in ("", "frames", "drives"), "frames or drives", point.weigh
        yield f"{where}.folds", point.folds >= 0, "0 or more", point.folds
        yield f"{where}.rate_low", 0 <= bounds[0] <= bounds[1] <= 1, "an interval of rates from 0 to 1", bounds
        for field in ("new_drive_rate", "proven_rate", "new_drives_expected", "new_drives_low", "new_drives_high"):
            value = getattr(point, field)
            yield f"{where}.{field}", value is None or 0 <= value <= 1, "from 0 to 1", value


def of_calibration(calibration: CalibrationRecord) -> Iterator[Check]:
    """Check that there are scores, in ascending order, and a drive for each."""
    scores = calibration.scores
    ascending = len(scores) > 0 and all(a <= b for a, b in pairwise(scores))
    yield "calibration.scores", ascending, "one or more ascending scores", scores
    yield "calibration.effective_frames", calibration.effective_frames > 0, "above 0", calibration.effective_frames
    for name, drives in (("drives", calibration.drives), ("fit_drives", calibration.fit_drives)):
        yield f"calibration.{name}", all(count >= 1 for count in drives.values()), "at least one frame each", drives
    total = sum(calibration.drives.values())
    yield "calibration.drives", total == len(scores), f"{len(scores)} frames, one a score", total


def of_precision(precision: PrecisionRecord) -> Iterator[Check]:
    """Check that the kind is known, and shares are shares."""
    yield "precision.kind", precision.kind in PRECISIONS, ", ".join(PRECISIONS), precision.kind
    yield "precision.frames", precision.frames >= 0, "0 or more", precision.frames
    yield "precision.auroc_loss", -1 <= precision.auroc_loss <= 1, "from -1 to 1", precision.auroc_loss
    for name in ("flips", "pixel_changes"):
        value = getattr(precision, name)
        yield f"precision.{name}", 0 <= value <= 1, "from 0 to 1", value


def of_parity(parity: ParityRecord) -> Iterator[Check]:
    """Check that no difference is below 0."""
    values = (parity.frames, parity.latent_max_abs, parity.segmentation_disagreement, parity.score_max_abs)
    yield "parity", min(values) >= 0, "0 or more", values
    floor = dataclasses.astuple(parity.floor)
    yield "parity.floor", min(floor) >= 0, "0 or more", floor


def of_files(files: Mapping[str, FileRecord]) -> Iterator[Check]:
    """Check that lengths are in range, and digests have their form."""
    for name, record in files.items():
        yield f"files.{name}.bytes", 0 <= record.bytes <= LARGEST_FILE, f"from 0 to {LARGEST_FILE}", record.bytes
        yield f"files.{name}.sha256", is_sha256(record.sha256), "64 hexadecimal digits", record.sha256


def of_digests(network: str, masks: MasksRecord) -> Iterator[Check]:
    """Check that the digests of the network's graph and of the mask bank have their form."""
    yield "network_sha256", is_sha256(network), "64 hexadecimal digits", network
    yield "masks.sha256", masks.sha256 is None or is_sha256(masks.sha256), "64 hexadecimal digits", masks.sha256


def of_golden(golden: GoldenRecord) -> Iterator[Check]:
    """Check that there is a tolerance for each kind of provider."""
    yield "golden.tolerance", {"cpu", "gpu"} <= golden.tolerance.keys(), "cpu and gpu", golden.tolerance


def of_pixels(pixels: PixelsRecord) -> Iterator[Check]:
    """Check that the number of bits is one that an image of 16 bits can have."""
    yield "pixels.bits", pixels.bits in (None, *range(9, 17)), "9 to 16, or null", pixels.bits

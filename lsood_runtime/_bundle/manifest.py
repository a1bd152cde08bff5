# SPDX-License-Identifier: Apache-2.0
"""The manifest: everything a bundle says about itself, parsed and checked in this one place.

``SCHEMA`` counts up by one when a reader of the old schema would misread a new bundle: a field removed, renamed, or
given another meaning or unit. A new field that an old reader may ignore does not count it up. A reader takes its own
schema and every older one that ``tests/`` holds a frozen bundle of; it refuses newer ones.
"""

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass
from itertools import pairwise
from reprlib import repr as short_repr
from typing import Any, Self

from lsood_runtime._exceptions import BundleError

SCHEMA = 2
PRECISIONS = ("fp32", "fp16", "int8", "int8-tensorrt")


@dataclass(frozen=True, slots=True)
class InputContract:
    """What a frame must be, and what the graph does to it.

    Attributes:
        channels: order of the frame's last axis, ``rgb`` or ``bgr``.
        frame_height: rows of a frame.
        frame_width: columns of a frame.
        network_height: rows that the network sees, after the resize in the graph.
        network_width: columns that the network sees.
        crop: ``(top, left, height, width)`` of the part of the frame that is resized, or None for all of it.
        resize: name of the resize filter.
        mean: per-channel mean in [0, 1], RGB.
        std: per-channel standard deviation in [0, 1], RGB.
    """

    channels: str
    frame_height: int
    frame_width: int
    network_height: int
    network_width: int
    crop: tuple[int, ...] | None
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segmentation output: ``classes`` ``(h, w)`` uint8, ``logits`` ``(K, h, w)`` float32, or ``none``."""

    kind: str
    num_classes: int | None
    height: int | None
    width: int | None


@dataclass(frozen=True, slots=True)
class Tap:
    """The sampled layers and the number of latent dimensions."""

    layers: tuple[str, ...]
    channels: int


@dataclass(frozen=True, slots=True)
class Masks:
    """How the Monte-Carlo samples are drawn.

    Attributes:
        mode: ``fixed``: a bank in the graph; ``fresh``: drawn in the graph for every frame; ``input``: computed from uniform
            noise that is an input of the graph.
        count: S, samples a frame.
        seed: of the bank, or of the noise.
        drop_prob: drop probability of the first site.
        block_size: DropBlock's block size there; None for dropout.
        sha256: of the bank; None where masks are not fixed.
        noise: for mode ``input`` the shape of each noise input behind ``(B, S)``; empty for the others.
    """

    mode: str
    count: int
    seed: int
    drop_prob: float
    block_size: int | None
    sha256: str | None
    noise: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Entropy:
    """Constants of the nearest-neighbour entropy estimate."""

    neighbors: int
    min_dist: float


@dataclass(frozen=True, slots=True)
class Detector:
    """What turns entropies into a score.

    Attributes:
        kind: ``kde``, ``kde-classifier``, ``mahalanobis`` or ``knn``.
        reason: why this one, in a sentence.
        parameters: its learned scalars by name, such as ``bandwidth``.
        standardise: whether each entropy is brought to zero mean and unit variance first.
        pca_components: whitened principal components that it sees; None for the entropies themselves.
        fit_frames: number of in-distribution frames that it was fitted on.
        fit_ood_frames: the same of out-of-distribution frames; 0 for all but ``kde-classifier``.
    """

    kind: str
    reason: str
    parameters: dict[str, Any]
    standardise: bool
    pca_components: int | None
    fit_frames: int
    fit_ood_frames: int


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and what it promises.

    Attributes:
        value: score above which a frame is out of distribution.
        false_alarm_rate: target, in (0, 1).
        guarantee: ``frames``: the target holds for new frames of the drives in the calibration, on average over
            calibrations; ``drives``: for frames of new drives as well.
        rate_low: lower end of the interval for the rate that this very threshold has over frames of known drives.
        rate_high: upper end.
        confidence: of the interval.
        new_drive_rate: the rate promised for a frame of a new drive; None where one drive alone set the threshold.
        rule: how the value was found.
    """

    value: float
    false_alarm_rate: float
    guarantee: str
    rate_low: float
    rate_high: float
    confidence: float
    new_drive_rate: float | None
    rule: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """The held-out in-distribution frames that set the thresholds.

    Attributes:
        scores: ascending.
        effective_frames: how many independent frames they are worth, at most their number.
        drives: frames of each held-out drive by its name.
        fit_drives: frames of each drive that the detector was fitted on.
        warnings: what speaks against relying on the thresholds, a sentence each.
        source: where the frames come from.
    """

    scores: tuple[float, ...]
    effective_frames: float
    drives: dict[str, int]
    fit_drives: dict[str, int]
    warnings: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest differences between the graphs, in float32, and the PyTorch network at export."""

    frames: int
    latent_max_abs: float
    segmentation_disagreement: float
    score_max_abs: float


@dataclass(frozen=True, slots=True)
class Precision:
    """In how many bits the network computes, and what they cost at export against the same monitor in float32.

    Attributes:
        kind: ``fp32``; ``fp16`` for CUDA; ``int8`` for CPUs; ``int8-tensorrt``.
        float_layers: convolutions that stayed in float32 because quantising them hurt.
        frames: how many frames were compared, mildly spoilt ones among them; 0 for ``fp32``.
        flips: share of them on which the decision changed.
        auroc_loss: AUROC of the spoilt frames that was lost; negative where it rose.
        pixel_changes: share of pixels of familiar frames that got another class.
    """

    kind: str = "fp32"
    float_layers: tuple[str, ...] = ()
    frames: int = 0
    flips: float = 0.0
    auroc_loss: float = 0.0
    pixel_changes: float = 0.0


@dataclass(frozen=True, slots=True)
class Golden:
    """How far a golden frame's score may move: ``cpu`` and ``gpu``."""

    tolerance: dict[str, float]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Digest and length of a file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's account of itself.

    ``network_sha256`` is the digest of the network's graph, which calibrating again leaves as it is.
    ``operating_point`` names the one of ``operating_points`` that holds unless another is asked for; ``evaluation`` has the
    figures of ``python -m export evaluate --update-card`` and is empty before that.
    """

    schema: int
    name: str
    created: str
    input: InputContract
    segmentation: Segmentation
    tap: Tap
    masks: Masks
    network_sha256: str
    entropy: Entropy
    detector: Detector
    operating_point: str
    operating_points: dict[str, OperatingPoint]
    calibration: Calibration
    parity: Parity
    golden: Golden
    evaluation: dict[str, Any]
    versions: dict[str, str | int]
    config: dict[str, Any]
    files: dict[str, FileRecord]
    precision: Precision = Precision()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse and check a manifest.

        Raises:
            BundleError: no JSON object, another schema, or a field that is missing, of another type, or not finite.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_number)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"expected the manifest to be JSON, it is damaged: {error}") from error
        if not isinstance(values, dict):
            raise BundleError(f"expected the manifest to be a JSON object, got {type(values).__name__}")
        schema = values.get("schema")
        if schema != SCHEMA or isinstance(schema, bool):
            raise BundleError(
                f"expected a manifest of schema {SCHEMA}, got {short_repr(schema)}: "
                "export again with this version, or install the version that wrote it"
            )
        manifest: Self = _parse(cls, values, "")
        _check_meaning(manifest)
        return manifest

    @property
    def threshold(self) -> OperatingPoint:
        """The operating point that holds unless another is asked for."""
        return self.operating_points[self.operating_point]

    def to_json(self) -> str:
        """The manifest as indented JSON.

        Raises:
            ValueError: a number is not finite.
        """
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _parse(kind: Any, value: Any, where: str) -> Any:
    """Check ``value`` against the type ``kind`` and build it; ``where`` names the field in messages."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:
        for option in arguments:
            if option is types.NoneType and value is None:
                return None
            if option is not types.NoneType and (value is not None) and _matches(option, value):
                return _parse(option, value, where)
        raise _misfit(where, " or ".join(getattr(o, "__name__", str(o)) for o in arguments), value)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise _misfit(where, "an object", value)
        hints = typing.get_type_hints(kind)
        optional = {field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}
        missing = [name for name in hints if name not in value and name not in optional]
        if missing:
            raise BundleError(f"expected the manifest's field {_join(where, missing[0])}, it is missing")
        given = {name: hint for name, hint in hints.items() if name in value}
        fields = {name: _parse(hint, value[name], _join(where, name)) for name, hint in given.items()}
        return typing.cast(type, kind)(**fields)
    if origin is dict:
        if not isinstance(value, dict):
            raise _misfit(where, "an object", value)
        return {_parse(str, key, where): _parse(arguments[1], item, _join(where, key)) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, list):
            raise _misfit(where, "a list", value)
        return tuple(_parse(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if not _matches(kind, value):
        raise _misfit(where, kind.__name__, value)
    if kind is str and not value.isprintable():
        raise _misfit(where, "one line of printable text", value)
    if kind is float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise _misfit(where, "a finite number", value)
        return number
    return value


def _matches(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if typing.get_origin(kind) is tuple:
        return isinstance(value, list)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _misfit(where: str, expected: str, value: Any) -> BundleError:
    return BundleError(f"expected the manifest's field {where} to be {expected}, got {short_repr(value)}")


def _check_meaning(manifest: Manifest) -> None:
    """Refuse values of the right type that no bundle can mean."""
    contract, kind, scores = manifest.input, manifest.segmentation.kind, manifest.calibration.scores
    sizes = (contract.frame_height, contract.frame_width, contract.network_height, contract.network_width)
    segmentation = (manifest.segmentation.num_classes, manifest.segmentation.height, manifest.segmentation.width)
    tolerance = manifest.golden.tolerance
    crop = contract.crop or (0, 0, contract.frame_height, contract.frame_width)
    inside = len(crop) == 4 and min(crop[:2]) >= 0 and min(crop[2:]) >= 1
    inside = inside and crop[0] + crop[2] <= contract.frame_height and crop[1] + crop[3] <= contract.frame_width
    mode, noise = manifest.masks.mode, manifest.masks.noise
    noise_fits = (mode == "input") == (len(noise) > 0) and all(size >= 1 for shape in noise for size in shape)
    points = manifest.operating_points
    rates = [rate for point in points.values() for rate in (point.false_alarm_rate, point.confidence)]
    promises = {point.guarantee for point in points.values()}
    ascending = len(scores) > 0 and all(a <= b for a, b in pairwise(scores))
    for where, holds, expected, value in (
        ("input.channels", contract.channels in ("rgb", "bgr"), "rgb or bgr", contract.channels),
        ("input", min(sizes) >= 1, "sizes of at least 1", sizes),
        ("input.crop", inside, "top, left, height and width inside the frame", contract.crop),
        ("masks.mode", mode in ("fixed", "fresh", "input"), "fixed, fresh or input", mode),
        ("masks.noise", noise_fits, f"shapes that fit mode {mode}", noise),
        ("segmentation.kind", kind in ("classes", "logits", "none"), "classes, logits or none", kind),
        ("segmentation", kind == "none" or None not in segmentation, f"sizes for {kind}", segmentation),
        (
            "operating_point",
            manifest.operating_point in points,
            f"one of {', '.join(points)}",
            manifest.operating_point,
        ),
        ("operating_points", all(0 < rate < 1 for rate in rates), "rates between 0 and 1", rates),
        ("operating_points", promises <= {"frames", "drives"}, "guarantees for frames or drives", sorted(promises)),
        ("calibration.scores", ascending, "one or more ascending scores", scores),
        ("precision.kind", manifest.precision.kind in PRECISIONS, ", ".join(PRECISIONS), manifest.precision.kind),
        ("golden.tolerance", {"cpu", "gpu"} <= tolerance.keys(), "cpu and gpu", tolerance),
    ):
        if not holds:
            raise _misfit(where, expected, value)

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

SCHEMA = 1


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
    """The density over entropies."""

    kind: str
    bandwidth: float
    bandwidth_rule: str
    pca_components: int | None
    fit_frames: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """Score above which a frame is out of distribution, nats, and the rate it was chosen for."""

    value: float
    false_alarm_rate: float
    rule: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """Ascending scores of the held-out in-distribution frames, nats, and where they come from."""

    scores: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest differences between the graphs and the PyTorch network at export."""

    frames: int
    latent_max_abs: float
    segmentation_disagreement: float
    score_max_abs: float


@dataclass(frozen=True, slots=True)
class Golden:
    """How far a golden frame's score may move, nats: ``cpu`` and ``gpu``."""

    tolerance: dict[str, float]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Digest and length of a file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's account of itself; see DESIGN's bundle section for the files that it names."""

    schema: int
    name: str
    created: str
    input: InputContract
    segmentation: Segmentation
    tap: Tap
    masks: Masks
    entropy: Entropy
    detector: Detector
    threshold: Threshold
    calibration: Calibration
    parity: Parity
    golden: Golden
    versions: dict[str, str | int]
    config: dict[str, Any]
    files: dict[str, FileRecord]

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse and check a manifest.

        Raises:
            BundleError: no JSON object, another schema, or a field that is missing, of another type, or not finite.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
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

    def to_json(self) -> str:
        """The manifest as indented JSON.

        Raises:
            ValueError: a number is not finite.
        """
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


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
        missing = [name for name in hints if name not in value]
        if missing:
            raise BundleError(f"expected the manifest's field {_join(where, missing[0])}, it is missing")
        fields = {name: _parse(hint, value[name], _join(where, name)) for name, hint in hints.items()}
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
    ascending = len(scores) > 0 and all(a <= b for a, b in pairwise(scores))
    for where, holds, expected, value in (
        ("input.channels", contract.channels in ("rgb", "bgr"), "rgb or bgr", contract.channels),
        ("input", min(sizes) >= 1, "sizes of at least 1", sizes),
        ("input.crop", inside, "top, left, height and width inside the frame", contract.crop),
        ("masks.mode", mode in ("fixed", "fresh", "input"), "fixed, fresh or input", mode),
        ("masks.noise", noise_fits, f"shapes that fit mode {mode}", noise),
        ("segmentation.kind", kind in ("classes", "logits", "none"), "classes, logits or none", kind),
        ("segmentation", kind == "none" or None not in segmentation, f"sizes for {kind}", segmentation),
        ("calibration.scores", ascending, "one or more ascending scores", scores),
        ("golden.tolerance", {"cpu", "gpu"} <= tolerance.keys(), "cpu and gpu", tolerance),
    ):
        if not holds:
            raise _misfit(where, expected, value)

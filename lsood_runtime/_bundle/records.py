# SPDX-License-Identifier: Apache-2.0
"""The parts of a manifest, each a frozen record with the meaning and the unit of its fields."""

from dataclasses import dataclass, field
from typing import Any

from lsood_runtime._arguments import check_count
from lsood_runtime._tiles.frame_edges import TileEdges, seen_edges

PRECISIONS = ("fp32", "fp16", "int8", "int8-tensorrt")
"""Kinds of :class:`PrecisionRecord`, the one without loss first."""


LATENT_SAMPLES, ENTROPY = "latent_samples", "entropy"
"""The feature from which the detector computes the feature ``entropy``, which its parts read."""


def noise_name(site: int) -> str:
    """Name of the graph's input for the noise of a site, counted from 0."""
    return f"noise_{site}"


def _rgb() -> str:
    """Channel order of the network in bundles that do not state it."""
    return "rgb"


def _check_counts(what: str, **counts: int) -> None:
    for name, count in counts.items():
        check_count(count, f"{name} of {what} of 1 or more", "take them from a frame's answers and segmentation")


def _no_pad() -> tuple[int, ...]:
    """Padding in bundles that do not state it."""
    return (0, 0)


@dataclass(frozen=True, slots=True)
class InputContract:
    """Contract of the input: the form of a frame, and its preprocessing in the graph.

    Attributes:
        channels: order of the frame's last axis, ``rgb`` or ``bgr``.
        frame_height: rows of a frame.
        frame_width: columns of a frame.
        network_height: rows that the network sees of a frame, after the resize in the graph.
        network_width: columns that the network sees of a frame.
        crop: ``(top, left, height, width)`` of the part of the frame that is resized, or None for all of it.
        resize: name of the resize filter.
        mean: per-channel mean in [0, 1], in the order of ``network_channels``.
        std: per-channel standard deviation in [0, 1], in the same order.
        network_channels: order in which the network takes the channels, ``rgb`` or ``bgr``, or ``grey`` for the brightness
            alone; the graph turns a frame into it.
        pad: rows at the bottom and columns at the right that the graph adds behind the resize, of the mean; the segmentation
            and its features are of the frame alone.
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
    network_channels: str = field(default_factory=_rgb)
    pad: tuple[int, ...] = field(default_factory=_no_pad)

    def tile_edges(self, rows: int, columns: int) -> TileEdges:
        """Where in the frame the tiles lie into which the picture is divided that the network sees.

        Args:
            rows: of tiles.
            columns: of tiles.

        Raises:
            TypeError, ValueError: a number that is no whole one of 1 or more.
        """
        _check_counts("the tiles", rows=rows, columns=columns)
        top, left, height, width = self.crop or (0, 0, self.frame_height, self.frame_width)
        bottom, right = self.pad
        return TileEdges(
            seen_edges(rows, top, height, 1 + bottom / self.network_height),
            seen_edges(columns, left, width, 1 + right / self.network_width),
            self.frame_height,
            self.frame_width,
        )

    def cell_edges(self, rows: int, columns: int, height: int, width: int) -> TileEdges:
        """Where in the frame the cells of a map lie that has one for every n-th row and column of the segmentation.

        Args:
            rows: of cells.
            columns: of cells.
            height: rows of the segmentation, which is of the frame alone, without padding.
            width: its columns.

        Raises:
            TypeError, ValueError: a number that is no whole one of 1 or more.
        """
        _check_counts("the cells and the segmentation", rows=rows, columns=columns, height=height, width=width)
        top, left, seen_height, seen_width = self.crop or (0, 0, self.frame_height, self.frame_width)
        return TileEdges(
            seen_edges(rows, top, seen_height, rows * -(-height // rows) / height),
            seen_edges(columns, left, seen_width, columns * -(-width // columns) / width),
            self.frame_height,
            self.frame_width,
        )


@dataclass(frozen=True, slots=True)
class PixelsRecord:
    """What was stated of the calibration frames where their files do not say it; the vehicle's commands read frames alike.

    Attributes:
        grey: grey images are read as colour ones.
        bits: that values of 16 bits use, 9 to 16; None where such images are refused.
        encodings: that stand for those of messages that name no channels.
        yuv: matrix and range of YUV that states none; None for BT.601 of limited range.
    """

    grey: bool = False
    bits: int | None = None
    encodings: tuple[str, ...] = ()
    yuv: str | None = None


@dataclass(frozen=True, slots=True)
class SegmentationRecord:
    """The segmentation output.

    Attributes:
        kind: ``classes``: ``(h, w)`` uint8; ``logits``: ``(K, h, w)`` float32; ``none``.
        num_classes: K; None for ``none``.
        height: h.
        width: w.
    """

    kind: str
    num_classes: int | None
    height: int | None
    width: int | None


@dataclass(frozen=True, slots=True)
class TapRecord:
    """The sampled layers.

    Attributes:
        layers: their names in the network.
        channels: C, the number of latent dimensions.
    """

    layers: tuple[str, ...]
    channels: int


@dataclass(frozen=True, slots=True)
class MasksRecord:
    """Masks of the Monte-Carlo samples.

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

    @property
    def noise_names(self) -> tuple[str, ...]:
        """Names of the graph's noise inputs, which are also those of their values in the file of golden frames."""
        return tuple(noise_name(site) for site in range(len(self.noise)))


@dataclass(frozen=True, slots=True)
class EntropyRecord:
    """Constants of the nearest-neighbour entropy estimate.

    Attributes:
        neighbors: k, which nearest neighbour counts.
        min_dist: floor of the distances.
    """

    neighbors: int
    min_dist: float


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One part of a detector whose score is a sum of parts.

    Attributes:
        name: of the part, its own among the detector's parts.
        features: names of those that it reads; ``entropy`` stands for what is computed from ``latent_samples``.
        kind: the detector of this part.
        centre: median of its raw score on in-distribution frames that it was not fitted on.
        scale: what the raw score less ``centre`` is divided by, above 0.
        weight: factor of the part in the sum, 0 or more.
    """

    name: str
    features: tuple[str, ...]
    kind: str
    centre: float
    scale: float
    weight: float


@dataclass(frozen=True, slots=True)
class DetectorRecord:
    """The detector, which turns the features of a frame into a score.

    Attributes:
        kind: name of the detector, such as ``kde``, ``mahalanobis`` or ``fused``.
        reason: why this one, in a sentence.
        parameters: its learned scalars by name, such as ``bandwidth``.
        standardise: whether each entropy is brought to zero mean and unit variance first.
        pca_components: whitened principal components that it sees; None for the entropies themselves.
        fit_frames: number of in-distribution frames that it was fitted on.
        fit_ood_frames: the same of out-of-distribution frames; 0 for all but ``kde-classifier``.
        parts: those whose shares add up to the score; empty for a detector of one part.
    """

    kind: str
    reason: str
    parameters: dict[str, Any]
    standardise: bool
    pca_components: int | None
    fit_frames: int
    fit_ood_frames: int
    parts: tuple[PartRecord, ...] = field(default_factory=tuple)


def _not_stated() -> None:
    """Value of a figure that a bundle does not state: older bundles, or a single drive."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, what is proven of its false-alarm rate, and what is expected.

    Attributes:
        value: score above which a frame is out of distribution.
        false_alarm_rate: target, in (0, 1).
        guarantee: unit of the margin for few calibration data. ``frames``: the target holds for new frames of the drives in
            the calibration, on average over calibrations by independent frames; ``drives``: for frames of new drives as well.
        rate_low: lower end of the interval for the rate that this very threshold has over further frames of the drives in
            the calibration.
        rate_high: upper end.
        confidence: of the intervals.
        new_drive_rate: bound of the rate for a frame of a new drive, drives weighed alike; None where one drive alone set the
            threshold. With ``folds`` it is the bound of the folds' detectors.
        rule: how the value was found.
        folds: of a cross-fit: every calibration frame was scored by a detector that was fitted without its fold, and the
            shipped detector was then fitted on all. 0: the frames that set the threshold fitted nothing.
        weigh: what counts the same in a rate, ``frames`` or ``drives``; empty in bundles that do not state it.
        proven_rate: the bound that is proven for the unit of ``guarantee``. With ``folds`` it is proven for the folds'
            detectors alone, and nothing is proven of the one that was fitted on all frames. None where not stated.
        new_drives_expected: the rate that is expected on frames of new drives; None from one drive, or where not stated.
        new_drives_low: lower end of its interval, which includes the spread between drives.
        new_drives_high: upper end.
    """

    value: float
    false_alarm_rate: float
    guarantee: str
    rate_low: float
    rate_high: float
    confidence: float
    new_drive_rate: float | None
    rule: str
    folds: int = field(default_factory=int)
    weigh: str = field(default_factory=str)
    proven_rate: float | None = field(default_factory=_not_stated)
    new_drives_expected: float | None = field(default_factory=_not_stated)
    new_drives_low: float | None = field(default_factory=_not_stated)
    new_drives_high: float | None = field(default_factory=_not_stated)


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """The in-distribution frames that set the thresholds, each scored by a detector that it did not fit.

    Attributes:
        scores: ascending.
        effective_frames: effective number of independent frames among them.
        drives: frames of each drive that set the thresholds, by its name.
        fit_drives: frames of each drive that the shipped detector was fitted on; the same ones after a cross-fit.
        warnings: reasons not to rely on the thresholds, a sentence each.
        source: where the frames come from and how they were used.
        advice: what more calibration data would gain, a sentence each.
    """

    scores: tuple[float, ...]
    effective_frames: float
    drives: dict[str, int]
    fit_drives: dict[str, int]
    warnings: tuple[str, ...]
    source: str
    advice: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class FloorRecord:
    """Rounding of the PyTorch network itself: the largest differences between float32 and float64 at export.

    Attributes:
        frames: on how many it was measured; 0 where no difference of the graphs made that necessary.
        latent_max_abs: of the latent samples, as a share of the largest.
        segmentation_disagreement: share of pixels of another class, near ties left out; for logits as a share of the largest.
        score_max_abs: of the score.
        near_ties: share of the pixels of a frame whose two largest logits are so close that rounding may put either first.
        firm_disagreement: share of the pixels that got another class of the graphs and are not near a tie.
    """

    frames: int = 0
    latent_max_abs: float = 0.0
    segmentation_disagreement: float = 0.0
    score_max_abs: float = 0.0
    near_ties: float = 0.0
    firm_disagreement: float = 0.0


@dataclass(frozen=True, slots=True)
class ParityRecord:
    """Largest differences between the graphs, in float32, and the PyTorch network at export.

    Attributes:
        frames: how many frames were compared.
        latent_max_abs: of the latent samples, as a share of the largest.
        segmentation_disagreement: share of pixels of another class; for logits as a share of the largest logit.
        score_max_abs: of the score.
        floor: the network's own rounding, where it had to be measured.
    """

    frames: int
    latent_max_abs: float
    segmentation_disagreement: float
    score_max_abs: float
    floor: FloorRecord = field(default_factory=FloorRecord)


@dataclass(frozen=True, slots=True)
class PrecisionRecord:
    """Precision of the network, and its cost at export against the same monitor in float32.

    Attributes:
        kind: ``fp32``; ``fp16`` for CUDA; ``int8`` for CPUs; ``int8-tensorrt``.
        float_layers: convolutions that stayed in float32 because quantising them cost too much.
        frames: how many frames were compared, mildly degraded ones among them; 0 for ``fp32``.
        flips: share of them on which the decision changed.
        auroc_loss: AUROC of the degraded frames that was lost; negative where it rose.
        pixel_changes: share of pixels of in-distribution frames that got another class.
    """

    kind: str = "fp32"
    float_layers: tuple[str, ...] = ()
    frames: int = 0
    flips: float = 0.0
    auroc_loss: float = 0.0
    pixel_changes: float = 0.0


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """Tolerances of golden frames, for the providers ``cpu`` and ``gpu``.

    Attributes:
        tolerance: of the score, in its unit.
        pixel_changes: share of the pixels of a frame that may get another class than at export; empty without a segmentation,
            and in bundles that do not keep the class maps.
        answers: how far an answer beside the score may be off, as a share of what it ranges over: 1 for quality and
            probabilities, 5 for the severity, the limit for the novelty; empty in bundles that answer nothing.
    """

    tolerance: dict[str, float]
    pixel_changes: dict[str, float] = field(default_factory=dict)
    answers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Digest and length of a file."""

    sha256: str
    bytes: int

# SPDX-License-Identifier: Apache-2.0
"""The part of a manifest about the answers beside the score: quality, cause and severity, tiles, map and confidence."""

import math
from bisect import bisect_left
from dataclasses import dataclass, field

NOVELTY, QUALITY, CAUSES, SEVERITY, TILES = "novelty", "quality", "causes", "severity", "tiles"
"""Outputs of ``detector.onnx`` that answer: ``(B,)``, ``(B, 3)``, ``(B, 1 + K)``, ``(B,)`` and ``(B, R, Q)``, float64."""

ANOMALY_MAP = "anomaly_map"
"""One more of them, ``(B, h, w)`` float32."""

CLASS_CONFIDENCE = "class_confidence"
"""And ``(B, 2, K)`` float64: for each class the share of the map's cells that are predicted as it, and the sum of their
confidences by the number of all cells, so that the second row divided by the first one is the mean confidence of a class."""

ANSWER_OUTPUTS = (QUALITY, CAUSES, SEVERITY, TILES, ANOMALY_MAP, CLASS_CONFIDENCE, NOVELTY)

NO_CAUSE, UNKNOWN = "none", "unknown"
"""Names that are no kind of degradation: nothing is wrong, and it cannot be told."""

MEASURES = {"miou": "mIoU", "agreement": "agreement"}
"""Measures of quality, with the word that stands for each in texts behind ``expected``."""

LARGEST_SEVERITY = 5.0

RATE_CONFIDENCE = 0.95
"""Of the intervals of the rate at which clean frames are below a smallest quality."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class QualityRecord:
    """The expected quality of the segmentation of a frame, judged on drives and kinds that were left out of the fit together.

    Attributes:
        measure: ``miou``: mean intersection over union with the frame's label; ``agreement``: share of pixels that have the
            class of the clean frame's map, where no labels were given.
        coverage: share of frames whose quality the interval is meant to hold.
        covered: share of the frames left out whose quality it held.
        worst_kind: kind of degradation of which it held the fewest.
        worst_kind_covered: share of the frames of that kind.
        median_width: of the intervals of the frames left out.
        constant_width: of the interval that is the same for every frame and covers as many.
        mean_absolute_error: of the expected quality.
        constant_error: of the median quality, told for every frame.
        spearman: rank correlation between expected and true quality; None where either is the same for all frames.
        at_most: upper end of what is said of a frame far from everything seen: the quality of clean frames, of degraded ones
            and of those far away is above it for at most ``(1 - coverage) / 2`` of each; 1 where nothing is known.
        clean_low: lower ends of the intervals of clean frames, ascending, each by answers that were fitted without its drive;
            0 where those do not know its quality.
        clean_drives: number of the drive of each of these frames; empty where it is not recorded.
        rate_low: lower ends of the intervals of the rate at which clean frames of new drives are below a smallest quality, by
            the number of those in ``clean_low`` that are, from none to all; empty where one drive tells none.
        rate_high: their upper ends.
    """

    measure: str
    coverage: float
    covered: float
    worst_kind: str
    worst_kind_covered: float
    median_width: float
    constant_width: float
    mean_absolute_error: float
    constant_error: float
    spearman: float | None
    at_most: float
    clean_low: tuple[float, ...]
    clean_drives: tuple[int, ...] = field(default_factory=tuple)
    rate_low: tuple[float, ...] = field(default_factory=tuple)
    rate_high: tuple[float, ...] = field(default_factory=tuple)

    def false_alarm_rate(self, min_quality: float) -> float:
        """Expected share of new clean frames, like those of the calibration, whose lower end is below a smallest quality.

        It is ``(1 + m) / (n + 1)`` where that of m of n clean frames is: at most this is expected where frames are
        exchangeable with these.
        """
        return (1 + bisect_left(self.clean_low, min_quality)) / (len(self.clean_low) + 1)

    def false_alarm_interval(self, min_quality: float) -> tuple[float, float] | None:
        """Ends of the interval of that share on new drives, at :data:`RATE_CONFIDENCE`; None where one drive tells none."""
        if not self.rate_low:
            return None
        below = bisect_left(self.clean_low, min_quality)
        return self.rate_low[below], self.rate_high[below]

    def min_quality(self, rate: float) -> float | None:
        """The largest smallest quality with at most this expected share; None where the clean frames are too few."""
        rank = math.floor(rate * (len(self.clean_low) + 1) + _ROUNDING)
        return self.clean_low[min(rank, len(self.clean_low)) - 1] if rank else None


@dataclass(frozen=True, slots=True)
class CauseRecord:
    """The cause of a frame's degradation, judged on drives that were left out of the fit.

    Attributes:
        names: of the probabilities: ``none``, then the kinds of degradation.
        coverage: share of frames whose cause is meant to be in the set of causes: 0.95, or that of the fit where it is less.
        set_threshold: probability from which on a cause is in that set.
        clean_kept: share of clean frames called ``none``.
        right: share of degraded frames called by their kind, by severity, ``1`` to ``5``.
        severity_error: mean absolute error of the severity.
        own: share of the frames of each kind of the user's own that are called by it; the severity of such a kind is unknown.
    """

    names: tuple[str, ...]
    coverage: float
    set_threshold: float
    clean_kept: float
    right: dict[str, float]
    severity_error: float
    own: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TilesRecord:
    """The tiles of a frame that look abnormal, by the network's early layers and by the pixels themselves.

    Attributes:
        rows: of tiles.
        columns: of tiles.
        layers: that are read.
        picture: whether numbers of the picture itself are read beside them.
        limit: of the distance of a tile, in the unit of clean ones, above which it is abnormal.
        neighbor_limit: at most ``limit``: above it a tile that touches an abnormal one is abnormal as well.
        false_alarm_rate: share of clean frames that may have an abnormal tile: ``1 / (limit_frames + 1)`` where these are too
            few for less.
        guarantee: ``drives`` where the limit is made to hold that share for frames of a new drive, ``frames`` where there
            were too few drives for it.
        clean_kept: share of clean frames, of drives that were left out of the fit and of the limit, without an abnormal tile;
            of the frames that set the limit where ``limit_frames`` is 0.
        limit_frames: clean frames that set the limit; 0 in bundles that do not record it.
        limit_drives: that they come from.
    """

    rows: int
    columns: int
    layers: tuple[str, ...]
    limit: float
    neighbor_limit: float
    false_alarm_rate: float
    guarantee: str
    clean_kept: float
    limit_frames: int = field(default_factory=int)
    limit_drives: int = field(default_factory=int)
    picture: bool = field(default_factory=bool)


@dataclass(frozen=True, slots=True)
class MapRecord:
    """The map of what is unknown in a frame, pixel by pixel, fitted on clean frames and on objects pasted on them.

    Attributes:
        rows: of the map.
        columns: of the map.
        slopes: weight of each score of a pixel that ships, by its name.
        smoothing: side of the square over which the map is averaged, pixels of the map; 1 where it is not.
        layers: whose outputs the linear head reads beside the logits; empty without a head.
        pixel_limit: above which a share ``pixel_rate`` of the pixels of clean frames lies.
        pixel_rate: that share.
        object_limit: of the map, above which connected pixels are an object.
        smallest_object: pixels of the map that an object has at least.
        false_alarm_rate: share of clean frames that may show an object: ``1 / (limit_frames + 1)`` where these are too few
            for less.
        guarantee: ``drives`` where the limit is made to hold that share for frames of a new drive, ``frames`` where there
            were too few drives for it.
        clean_kept: share of clean frames, of drives that were left out of the fit and of the limit, without an object.
        average_precision: of the pixels of objects pasted on frames of drives that were left out of the fit and of the choice
            of the map, objects unlike those of the fit.
        fpr95: share of the other pixels above the value that 95 % of the objects' pixels exceed.
        best_single: name of the single score with the largest average precision there, raw or smoothed.
        best_single_average_precision: its average precision.
        best_single_fpr95: its share of other pixels.
        road_classes: ids of the classes that can be driven on; empty where they are not known.
        own_objects: cut-outs of the user's own that were pasted for the fit beside drawn objects.
        limit_frames: clean frames that set the limit; 0 in bundles that do not record it, whose ``clean_kept`` is of those
            frames, and whose other figures are of the frames that chose the map.
        limit_drives: that they come from.
    """

    rows: int
    columns: int
    slopes: dict[str, float]
    smoothing: int
    layers: tuple[str, ...]
    pixel_limit: float
    pixel_rate: float
    object_limit: float
    smallest_object: int
    false_alarm_rate: float
    guarantee: str
    clean_kept: float
    average_precision: float
    fpr95: float
    best_single: str
    best_single_average_precision: float
    best_single_fpr95: float
    road_classes: tuple[int, ...] = field(default_factory=tuple)
    own_objects: int = field(default_factory=int)
    limit_frames: int = field(default_factory=int)
    limit_drives: int = field(default_factory=int)


@dataclass(frozen=True, slots=True)
class ConfidenceRecord:
    """The confidence of the segmentation's pixels: the largest softmax of the logits over a temperature, fitted with labels.

    Errors, losses and the figures of classes are of pixels of drives that were left out of the fit.

    Attributes:
        temperature: that the logits are divided by, above 0.
        frames: with labels.
        drives: that they come from; of one, contiguous blocks of its frames were left out.
        error_before: expected calibration error of the softmax of the logits as they are: mean distance of confidence and
            accuracy over 15 bins of confidence, weighed by their pixels.
        error: the same with a temperature that was fitted without the drive.
        loss_before: negative log-likelihood of the labels, nats a pixel, as they are.
        loss: the same with such a temperature.
        accuracy: share of the pixels whose class is that of the label.
        shares: share of the pixels that are predicted as each class.
        class_accuracy: share of these pixels whose class is that of the label; 0 where there are none.
        class_confidence: mean confidence of these pixels, with such a temperature; 0 where there are none.
    """

    temperature: float
    frames: int
    drives: int
    error_before: float
    error: float
    loss_before: float
    loss: float
    accuracy: float
    shares: tuple[float, ...]
    class_accuracy: tuple[float, ...]
    class_confidence: tuple[float, ...]


def no_tiles() -> None:
    """The tiles of a bundle that tells none."""


def no_map() -> None:
    """The anomaly map of a bundle that gives none."""


def no_confidence() -> None:
    """The confidence of a bundle without a temperature."""


@dataclass(frozen=True, slots=True)
class AnswersRecord:
    """What the bundle answers beside the score, and what the answers were fitted on.

    Attributes:
        novelty_limit: distance from all that was seen above which cause and quality are unknown; None where neither is told.
        kinds: of the degradations that were made of the calibration frames, and those of the user's own; empty where neither
            cause nor quality is told.
        frames: clean ones.
        drives: that they come from.
        rows: clean and degraded frames together, and those of the user's own kinds; where neither cause nor quality is told,
            clean frames and those with a patch or with pasted objects.
        quality: of the segmentation; None where the bundle does not answer it.
        cause: None where the bundle does not answer it.
        tiles: None where the bundle does not answer which are abnormal.
        map: of what is unknown, cell by cell; None where the bundle gives none.
        confidence: of the pixels of each class; None without a map, or where no labels were given.
    """

    novelty_limit: float | None
    kinds: tuple[str, ...]
    frames: int
    drives: int
    rows: int
    quality: QualityRecord | None
    cause: CauseRecord | None
    tiles: TilesRecord | None = field(default_factory=no_tiles)
    map: MapRecord | None = field(default_factory=no_map)
    confidence: ConfidenceRecord | None = field(default_factory=no_confidence)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The outputs of ``detector.onnx`` that answer, with their shapes behind the batch."""
        found: dict[str, tuple[int, ...]] = {} if self.quality is None else {QUALITY: (3,)}
        if self.cause is not None:
            found |= {CAUSES: (len(self.cause.names),), SEVERITY: ()}
        if self.tiles is not None:
            found[TILES] = (self.tiles.rows, self.tiles.columns)
        if self.map is not None:
            found[ANOMALY_MAP] = (self.map.rows, self.map.columns)
        if self.confidence is not None:
            found[CLASS_CONFIDENCE] = (2, len(self.confidence.shares))
        return found if self.novelty_limit is None else found | {NOVELTY: ()}

    def ranges(self) -> dict[str, float]:
        """What each output ranges over, the unit of its tolerance; for a distance and a map its limit."""
        sizes = {QUALITY: 1.0, CAUSES: 1.0, SEVERITY: LARGEST_SEVERITY, CLASS_CONFIDENCE: 1.0}
        if self.novelty_limit is not None:
            sizes[NOVELTY] = self.novelty_limit
        if self.tiles is not None:
            sizes[TILES] = self.tiles.limit
        if self.map is not None:
            sizes[ANOMALY_MAP] = max(self.map.object_limit, 1.0)
        return {name: sizes[name] for name in self.shapes()}

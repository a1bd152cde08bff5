# SPDX-License-Identifier: Apache-2.0
"""The answers beside the score: expected quality, cause and severity, abnormal tiles, anomaly map and unknown objects."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.answer_sentences import unknown_words
from lsood_runtime._bundle.answers_records import (
    ANOMALY_MAP,
    CAUSES,
    CLASS_CONFIDENCE,
    LARGEST_SEVERITY,
    MEASURES,
    NO_CAUSE,
    NOVELTY,
    QUALITY,
    SEVERITY,
    TILES,
    UNKNOWN,
    AnswersRecord,
)
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.records import InputContract, SegmentationRecord
from lsood_runtime._class_confidence import confidence_of_classes, confidence_text, no_class_known
from lsood_runtime._maps.objects import UnknownObject
from lsood_runtime._text.json_values import JsonValue, finite_or_none
from lsood_runtime._tiles.abnormal import abnormal_tiles
from lsood_runtime._tiles.grid import TileMask
from lsood_runtime._tiles.region_words import describe_tiles, tile_text
from lsood_runtime._unknown_objects import NO_MAP, UNKNOWN_MAP, WHOLE_FRAME, AnomalyMap, MapRule

AnswerRows = Mapping[str, NDArray[np.float64] | NDArray[np.float32]]
"""Outputs of ``detector.onnx`` that answer, by name, a row for each frame; empty where the bundle answers nothing."""

_QUALITY_FIELDS = ("quality_measure", "expected_quality", "quality_low", "quality_high")
_CAUSE_FIELDS = ("cause", "cause_probability", "cause_set", "severity")
_TILE_FIELDS = ("tiles", "tile_values", "tile_words")
_MAP_FIELDS = ("object_count", "largest_peak", "object_words")
_CONFIDENCE_FIELDS = ("class_confidence",)
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers on one frame; the attributes are those of :class:`lsood_runtime.Assessment`."""

    quality_measure: str | None = None
    expected_quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    cause: str | None = None
    cause_probability: float | None = None
    cause_set: tuple[str, ...] = ()
    severity: float | None = None
    tiles: TileMask | None = None
    tile_values: NDArray[np.float64] | None = None
    tile_words: str = ""
    anomaly_map: AnomalyMap | None = None
    objects: tuple[UnknownObject, ...] = ()
    object_count: int | None = None
    object_words: str = ""
    class_confidence: NDArray[np.float64] | None = None


NO_ANSWERS = Answers()
"""Of a bundle that answers nothing beside the score."""


class AnswerRule:
    """Turns the numbers that the graph gives for a frame into answers, and into ``unknown`` where they cannot be relied on.

    Quality and cause are unknown where the frame is further from everything seen than the bundle's limit, or where a number
    is none that the answer can have. A cause is unknown too where no cause is probable enough for the set of causes. Objects
    that are found are told everywhere; that there is none is told only where the frame is not so far from everything seen.

    Args:
        record: of the manifest; None where the bundle answers nothing.
        contract: of the input: abnormal tiles and objects are named by where in the frame they lie. Without it, and without
            the next, the anomaly map is left out.
        segmentation: whose classes lie under the objects.
        object_region: in which they are looked for, of :data:`lsood_runtime._unknown_objects.REGIONS`.
    """

    def __init__(
        self,
        record: AnswersRecord | None,
        contract: InputContract | None = None,
        segmentation: SegmentationRecord | None = None,
        object_region: str = WHOLE_FRAME,
    ) -> None:
        self._record = record
        told = None if record is None or contract is None else record.tiles
        self._edges = None if told is None or contract is None else contract.tile_edges(told.rows, told.columns)
        map_record = None if record is None else record.map
        self._map_rule = (
            None
            if map_record is None or contract is None or segmentation is None
            else MapRule(map_record, contract, segmentation, object_region)
        )

    @classmethod
    def of_bundle(cls, manifest: Manifest, object_region: str = WHOLE_FRAME) -> Self:
        """The rule of a bundle."""
        return cls(manifest.answers, manifest.input, manifest.segmentation, object_region)

    def answers(
        self, rows: AnswerRows, place: int, segmentation: NDArray[np.uint8] | NDArray[np.float32] | None = None
    ) -> Answers:
        """The answers on the frame at a place of a pass.

        Args:
            rows: of the pass.
            place: of the frame.
            segmentation: of the frame; None where there is none.
        """
        record = self._record
        if record is None:
            return NO_ANSWERS
        limit = record.novelty_limit
        is_known = limit is not None and float(rows[NOVELTY][place]) <= limit  # NaN and infinity are not
        expected, low, high = self._quality(rows, place, is_known)
        cause, probability, names, severity = self._cause(rows, place, is_known)
        tiles, values = self._tiles(rows, place)
        found = NO_MAP
        if self._map_rule is not None:
            found = self._map_rule.answer(np.asarray(rows[ANOMALY_MAP][place], np.float32), segmentation)
            if limit is not None and not is_known and found.object_count == 0:  # noise, or a black road, shows nothing
                found = replace(found, object_count=None, object_words=UNKNOWN)
        return Answers(
            quality_measure=None if record.quality is None else record.quality.measure,
            expected_quality=expected,
            quality_low=low,
            quality_high=high,
            cause=cause,
            cause_probability=probability,
            cause_set=names,
            severity=severity,
            tiles=tiles,
            tile_values=values,
            tile_words="" if tiles is None or not tiles.any() else self._tile_words(tiles),
            anomaly_map=found.anomaly_map,
            objects=found.objects,
            object_count=found.object_count,
            object_words=found.object_words,
            class_confidence=None
            if record.confidence is None
            else confidence_of_classes(rows[CLASS_CONFIDENCE][place]),
        )

    @property
    def not_run(self) -> Answers:
        """The answers on a frame that no graph has seen: all unknown."""
        record = self._record
        if record is None:
            return NO_ANSWERS
        measure = None if record.quality is None else record.quality.measure
        grid = None if record.tiles is None else (record.tiles.rows, record.tiles.columns)
        classes = None if record.confidence is None else len(record.confidence.shares)
        return _nothing_known(
            measure, grid, classes, tells_cause=record.cause is not None, tells_objects=record.map is not None
        )

    def _quality(self, rows: AnswerRows, place: int, is_known: bool) -> tuple[float | None, float | None, float | None]:
        """Expected value and both ends of its interval."""
        if self._record is None or self._record.quality is None:
            return None, None, None
        expected, low, high = map(float, rows[QUALITY][place])
        if is_known and 0 <= low <= expected <= high <= 1:
            return expected, low, high
        return math.nan, math.nan, self._record.quality.at_most

    def _cause(
        self, rows: AnswerRows, place: int, is_known: bool
    ) -> tuple[str | None, float | None, tuple[str, ...], float | None]:
        """The most probable cause, its probability, all causes that are probable enough, and the severity."""
        if self._record is None or self._record.cause is None:
            return None, None, (), None
        record, shares, severity = self._record.cause, rows[CAUSES][place], float(rows[SEVERITY][place])
        is_known = is_known and bool(np.all(shares >= 0)) and abs(float(shares.sum()) - 1) <= _ROUNDING
        is_known = is_known and 0 <= severity <= LARGEST_SEVERITY
        order = np.argsort(-shares, kind="stable") if is_known else np.empty(0, np.int64)
        names = tuple(record.names[i] for i in order if shares[i] >= record.set_threshold)
        if not names:
            return UNKNOWN, math.nan, (), math.nan
        cause, probability = names[0], float(shares[order[0]])
        if cause == NO_CAUSE:
            return cause, probability, names, 0.0
        return cause, probability, names, math.nan if cause in record.own else severity

    def _tile_words(self, tiles: TileMask) -> str:
        """Where in the frame these tiles are, of which there is one at least."""
        return describe_tiles(tiles, None if self._edges is None else self._edges.in_frame(tiles))

    def _tiles(self, rows: AnswerRows, place: int) -> tuple[TileMask | None, NDArray[np.float64] | None]:
        """Which tiles are abnormal, and how far each is from clean ones in units of the limit; none and NaN where unknown."""
        record = None if self._record is None else self._record.tiles
        if record is None:
            return None, None
        distances = np.asarray(rows[TILES][place], np.float64)
        if not (distances >= 0).all() or not np.isfinite(distances).all():
            return _no_tiles((record.rows, record.columns))
        return _read_only(abnormal_tiles(distances, record.limit, record.neighbor_limit), distances / record.limit)


def _no_tiles(grid: tuple[int, int]) -> tuple[TileMask, NDArray[np.float64]]:
    """No tile called abnormal, and of each an unknown distance."""
    return _read_only(np.zeros(grid, np.bool_), np.full(grid, np.nan))


def _read_only(tiles: TileMask, values: NDArray[np.float64]) -> tuple[TileMask, NDArray[np.float64]]:
    for array in (tiles, values):
        array.flags.writeable = False
    return tiles, values


ANSWER_FIELDS = tuple(field.name for field in fields(Answers))
"""Names of the answers on a frame."""


class AnswerFields(Protocol):
    """What has the attributes of :class:`Answers`."""

    @property
    def quality_measure(self) -> str | None: ...
    @property
    def expected_quality(self) -> float | None: ...
    @property
    def quality_low(self) -> float | None: ...
    @property
    def quality_high(self) -> float | None: ...
    @property
    def cause(self) -> str | None: ...
    @property
    def cause_probability(self) -> float | None: ...
    @property
    def cause_set(self) -> tuple[str, ...]: ...
    @property
    def severity(self) -> float | None: ...
    @property
    def tiles(self) -> TileMask | None: ...
    @property
    def tile_values(self) -> NDArray[np.float64] | None: ...
    @property
    def tile_words(self) -> str: ...
    @property
    def anomaly_map(self) -> AnomalyMap | None: ...
    @property
    def objects(self) -> tuple[UnknownObject, ...]: ...
    @property
    def object_count(self) -> int | None: ...
    @property
    def object_words(self) -> str: ...
    @property
    def class_confidence(self) -> NDArray[np.float64] | None: ...


def unknown_answers(answers: AnswerFields) -> Answers:
    """The same answers, all unknown, as of a frame that no working camera sent: numbers are NaN, the cause ``unknown``."""
    grid = None if answers.tiles is None else answers.tiles.shape
    classes = None if answers.class_confidence is None else len(answers.class_confidence)
    return _nothing_known(
        answers.quality_measure,
        grid,
        classes,
        tells_cause=answers.cause is not None,
        tells_objects=bool(answers.object_words),
    )


def _nothing_known(
    measure: str | None,
    grid: tuple[int, int] | None,
    classes: int | None,
    *,
    tells_cause: bool,
    tells_objects: bool,
) -> Answers:
    tiles, values = (None, None) if grid is None else _no_tiles(grid)
    no_quality, no_cause = None if measure is None else math.nan, math.nan if tells_cause else None
    return Answers(
        quality_measure=measure,
        expected_quality=no_quality,
        quality_low=no_quality,
        quality_high=no_quality,
        cause=UNKNOWN if tells_cause else None,
        cause_probability=no_cause,
        severity=no_cause,
        tiles=tiles,
        tile_values=values,
        object_words=UNKNOWN_MAP.object_words if tells_objects else "",
        class_confidence=None if classes is None else no_class_known(classes),
    )


def answer_names(record: AnswersRecord | None) -> tuple[str, ...]:
    """Names of what :func:`answer_values` gives for a bundle."""
    if record is None:
        return ()
    quality = () if record.quality is None else _QUALITY_FIELDS
    cause = () if record.cause is None else _CAUSE_FIELDS
    tiles = () if record.tiles is None else _TILE_FIELDS
    objects = () if record.map is None else _MAP_FIELDS
    return quality + cause + tiles + objects + (() if record.confidence is None else _CONFIDENCE_FIELDS)


def answer_values(answers: AnswerFields) -> dict[str, JsonValue]:
    """JSON-ready answers that the bundle gives; numbers that are not finite become None.

    Abnormal tiles become text, a group of digits a row of tiles, 1 for an abnormal one, and the distances of all tiles one
    text with spaces between them, row by row; both are empty where they are unknown. Of the objects there are their number,
    the largest peak and the words; the anomaly map itself is left out. The confidence of the classes that the frame shows
    becomes one text, ``0:0.982 3:0.714``.
    """
    values: dict[str, JsonValue] = {}
    if answers.quality_measure is not None:
        numbers = (answers.expected_quality, answers.quality_low, answers.quality_high)
        values |= zip(_QUALITY_FIELDS, (answers.quality_measure, *map(finite_or_none, numbers)), strict=True)
    if answers.cause is not None:
        probability, severity = finite_or_none(answers.cause_probability), finite_or_none(answers.severity)
        texts = (answers.cause, probability, " ".join(answers.cause_set), severity)
        values |= zip(_CAUSE_FIELDS, texts, strict=True)
    if answers.tiles is not None and answers.tile_values is not None:
        numbers_text = " ".join(f"{value:.4g}" for value in answers.tile_values.ravel() if math.isfinite(value))
        tiles = tile_text(answers.tiles) if numbers_text else ""
        values |= zip(_TILE_FIELDS, (tiles, numbers_text, answers.tile_words), strict=True)
    if answers.object_words:
        peak = answers.objects[0].peak if answers.objects else None
        values |= zip(_MAP_FIELDS, (answers.object_count, peak, answers.object_words), strict=True)
    if answers.class_confidence is not None:
        values |= zip(_CONFIDENCE_FIELDS, (confidence_text(answers.class_confidence),), strict=True)
    return values


def quality_name(record: AnswersRecord | None) -> str:
    """Name of a bundle's expected quality by its measure, such as ``expected mIoU``; empty where it does not tell it."""
    return "" if record is None or record.quality is None else measure_name(record.quality.measure)


def measure_name(measure: str | None) -> str:
    """Name of an expected quality by its measure; empty for None."""
    return "" if measure is None else f"expected {MEASURES[measure]}"


def quality_words(answers: AnswerFields) -> str:
    """Describe the expected quality by its measure; empty where the bundle does not answer it."""
    if answers.quality_measure is None or answers.expected_quality is None:
        return ""
    name, low, high = measure_name(answers.quality_measure), answers.quality_low, answers.quality_high
    if math.isfinite(answers.expected_quality):
        return f"{name} {answers.expected_quality:.2f} ({low:.2f} to {high:.2f})"
    return f"{name} {unknown_words(math.nan if high is None else high)}"


def cause_words(answers: AnswerFields) -> str:
    """Describe cause and severity; empty where the bundle does not answer them."""
    if answers.cause is None:
        return ""
    if answers.cause == UNKNOWN:
        return f"cause: {UNKNOWN}"
    others = f"; or {', '.join(answers.cause_set[1:])}" if len(answers.cause_set) > 1 else ""
    told = answers.cause != NO_CAUSE and answers.severity is not None and math.isfinite(answers.severity)
    severe = f", severity {answers.severity:.1f}" if told else ""
    return f"cause: {answers.cause} ({answers.cause_probability:.2f}{others}){severe}"


def tiles_words(answers: AnswerFields) -> str:
    """Describe which tiles are abnormal; empty where the bundle does not answer it."""
    if answers.tile_values is None:
        return ""
    unknown = not np.isfinite(answers.tile_values).all()
    return f"abnormal tiles: {UNKNOWN if unknown else answers.tile_words or NO_CAUSE}"


def objects_words(answers: AnswerFields) -> str:
    """Describe the unknown objects; empty where the bundle does not tell them."""
    return f"unknown objects: {answers.object_words}" if answers.object_words else ""


def answer_words(answers: AnswerFields) -> str:
    """Describe all answers in one line; empty where the bundle gives none."""
    words = (quality_words(answers), cause_words(answers), tiles_words(answers), objects_words(answers))
    return "; ".join(filter(None, words))

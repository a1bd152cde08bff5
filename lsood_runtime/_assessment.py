# SPDX-License-Identifier: Apache-2.0
"""The result of assessing a frame: its state and its verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._answers import ANSWER_FIELDS, Answers, answer_values, answer_words, unknown_answers
from lsood_runtime._maps.objects import UnknownObject
from lsood_runtime._parts import NO_PARTS
from lsood_runtime._text.json_values import JsonValue, finite_or_none, python_scalar
from lsood_runtime._tiles.grid import TileMask
from lsood_runtime._tiles.region_words import tile_text


class State(StrEnum):
    """The state of a frame, the least grave first: of several that apply, a frame has the gravest."""

    OK = "ok"
    """In distribution."""
    LATE = "late"
    """In distribution, but the verdict came after the deadline; score and p-value still hold."""
    LOW_QUALITY = "low_quality"
    """In distribution, but the lower end of the expected quality is below the smallest one that was asked for."""
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    """The score is above the threshold; where the verdict was late as well, the reason and ``is_late`` say so."""
    INVALID = "invalid"
    """Not a frame of a working camera, or no finite score: treat it as out of distribution."""

    @property
    def gravity(self) -> int:
        """Place in the order by gravity, from 0 for OK to 4 for INVALID."""
        return list(State).index(self)


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The verdict on one frame.

    Attributes:
        score: in the unit of the detector, nats for densities; higher is further from the training distribution; ``inf``
            where there is no finite number.
        p_value: share of in-distribution frames that score at least as high, in (0, 1]; NaN where the score is not finite.
        is_ood: the score is above the threshold, or the state is INVALID.
        threshold: in the unit of the score.
        segmentation: ``(h, w)`` uint8 classes or ``(K, h, w)`` float32 logits; None where the bundle has none, or the graphs
            did not run.
        state: the gravest that applies: INVALID before OUT_OF_DISTRIBUTION, that before LOW_QUALITY, that before LATE.
        reason: why the state is not OK, in one sentence; empty where it is OK.
        provider: the execution provider that ran.
        latency_ms: from the call to the verdict, milliseconds.
        stamp_ns: of the frame, nanoseconds on the caller's clock; where none was given, of the call since the epoch.
        parts: each part's share of the score by its name, in the unit of the score, which is their sum; empty for a detector
            of one part. One that is not finite makes the state INVALID; all are NaN where the graphs did not run.
        is_late: the verdict came after the deadline, whatever the state.
        quality_measure: what the expected quality is of: ``miou``, fitted with labels, or ``agreement`` with the class map of
            the clean frame; None where the bundle does not tell the quality of its segmentation.
        expected_quality: in [0, 1]; NaN where it is unknown: the state is INVALID, or the frame is far from everything that
            the bundle was fitted on. None where the bundle does not tell it, as for the next two.
        quality_low: lower end of the interval, whose coverage the manifest states; NaN where the quality is unknown.
        quality_high: upper end; where the quality is unknown, the most that is said of such frames, and NaN where the state
            is INVALID.
        cause: kind of degradation that the frame shows, ``none``, or ``unknown``, as where the state is INVALID; None where
            the bundle does not tell it.
        cause_probability: of the cause; NaN where it is unknown, None where the bundle does not tell it.
        cause_set: every cause that is probable enough for the coverage in the manifest, the most probable first; empty where
            the cause is unknown.
        severity: of the degradation, 0 to 5, 0 where the cause is ``none``; NaN where it is unknown, as of a kind of the
            user's own, None where the bundle does not tell it.
        tiles: ``(rows, columns)`` bool, read-only: which tiles of the picture that the network sees look abnormal, by its
            early layers and by the pixels themselves; ``manifest.input.tile_edges`` has their places in the frame. None of
            them where that is unknown; the mask is None where the bundle does not tell them, as for the next.
        tile_values: ``(rows, columns)`` float64, read-only: how far each tile is from those of clean frames, in units of the
            bundle's limit, so that a tile above 1 is abnormal; NaN where it is unknown.
        tile_words: where in the frame the abnormal tiles are, in words: ``lower left corner (1 of 32 tiles)``; empty where
            there are none.
        anomaly_map: ``(h, w)`` float32, read-only, finite: how unknown each cell of the picture that the network sees is, in
            deviations of clean cells; ``manifest.input.cell_edges`` has their places in the frame. None where the bundle
            gives none, or where it is unknown.
        objects: connected regions of the map above the bundle's limit, the highest peak first, 32 at most; with
            ``object_region="road"`` those on or beside the road; empty where there are none, or where they are unknown.
        object_count: of all of them; None where the bundle tells none, or where they are unknown: where the state is INVALID,
            where none is found in a frame that is far from everything that the bundle was fitted on, and where those on the
            road are asked for and none is in sight.
        object_words: how many objects there are, and where the one with the highest peak is, in words; ``none``, or
            ``unknown`` where their number is; empty where the bundle tells none.
        class_confidence: ``(K,)`` float64, read-only, finite: mean confidence of the cells of the map that are predicted as
            each class, calibrated by labels, from 1/K to 1; 0 for a class that the frame does not show, and for all of them
            where it is unknown. None where the bundle has no temperature.
        faulty_tiles: ``(rows, columns)`` bool, read-only, of the monitor's :class:`TileCheck`: which tiles of the raw frame
            are black, saturated or of one colour, and in a stream frozen; sky and night left out. None where they were not
            looked at.
        tile_faults: which tiles these are, in words, ``black: left half (16 of 32 tiles)``; empty where there are none.
        features: ``(D,)`` float32, read-only: the bundle's numbers that describe the frame as a whole, by which frames are
            compared with each other; those that are not finite are NaN or infinite here too. None unless the monitor keeps
            them, or where the graphs did not run.
    """

    score: float
    p_value: float
    is_ood: bool
    threshold: float
    segmentation: NDArray[np.uint8] | NDArray[np.float32] | None
    state: State
    reason: str
    provider: str
    latency_ms: float
    stamp_ns: int
    parts: Mapping[str, float] = NO_PARTS
    is_late: bool = False
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
    anomaly_map: NDArray[np.float32] | None = None
    objects: tuple[UnknownObject, ...] = ()
    object_count: int | None = None
    object_words: str = ""
    class_confidence: NDArray[np.float64] | None = None
    faulty_tiles: TileMask | None = None
    tile_faults: str = ""
    features: NDArray[np.float32] | None = None

    def asdict(self) -> dict[str, JsonValue]:
        """JSON-ready values, segmentation and features left out, and what the bundle does not answer.

        Numbers that are not finite become None, and the set of causes one text with spaces between the names. Faulty tiles
        become text, a group of digits a row of tiles, 1 for a faulty one; empty where they were not looked at.
        """
        answers = answer_values(self)
        values = {
            field.name: python_scalar(getattr(self, field.name))
            for field in fields(self)
            if field.name not in ("segmentation", "faulty_tiles", "features") and field.name not in ANSWER_FIELDS
        }
        finite = {name: finite_or_none(getattr(self, name)) for name in ("score", "p_value", "threshold", "latency_ms")}
        parts = {name: finite_or_none(share) for name, share in self.parts.items()}
        tiles = "" if self.faulty_tiles is None else tile_text(self.faulty_tiles)
        own = {"state": self.state.value, "parts": parts, "faulty_tiles": tiles}
        return values | finite | own | answers

    def __str__(self) -> str:
        """One line for a log."""
        return (
            f"{self.state.value} score={self.score:.3f} threshold={self.threshold:.3f} p={self.p_value:.4f} "
            f"{self.latency_ms:.1f} ms {self.provider}"
            + (f" {words}" if (words := answer_words(self)) else "")
            + (f": {self.reason}" if self.reason else "")
        )


def invalidated(verdict: Assessment, fault: str) -> Assessment:
    """The verdict with the state INVALID for a fault that only its camera's other frames show, and every answer unknown.

    Score, p-value and segmentation stay: they are what the graphs gave for this picture.
    """
    invalid = replace(verdict, state=State.INVALID, is_ood=True, reason=fault)
    return with_answers(invalid, unknown_answers(verdict))


def with_answers(verdict: Assessment, answers: Answers) -> Assessment:
    """The verdict with these answers beside the score, in place of its own."""
    return replace(
        verdict,
        quality_measure=answers.quality_measure,
        expected_quality=answers.expected_quality,
        quality_low=answers.quality_low,
        quality_high=answers.quality_high,
        cause=answers.cause,
        cause_probability=answers.cause_probability,
        cause_set=answers.cause_set,
        severity=answers.severity,
        tiles=answers.tiles,
        tile_values=answers.tile_values,
        tile_words=answers.tile_words,
        anomaly_map=answers.anomaly_map,
        objects=answers.objects,
        object_count=answers.object_count,
        object_words=answers.object_words,
        class_confidence=answers.class_confidence,
    )

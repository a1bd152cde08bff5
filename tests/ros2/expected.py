# SPDX-License-Identifier: Apache-2.0
"""The messages that the Python runtime's verdicts would make, for comparison with the node's."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import Assessment, Manifest, StreamAssessment, UnknownObject

HISTORIES = ("begins", "continues", "other_clock", "repeated", "after_gap", "after_step")
TIMES = ("latency_ms", "wait_ms")
"""Fields that no two runs have in common."""


def time_values(stamp_ns: int | None) -> dict[str, int]:
    sec, nanosec = divmod(stamp_ns or 0, 1_000_000_000)
    return {"sec": sec, "nanosec": nanosec}


def assessment_values(result: StreamAssessment, manifest: Manifest, header: dict[str, Any]) -> dict[str, Any]:
    """A ``lsood_msgs/Assessment`` by its fields, without the times that it took."""
    verdict, quality = result.verdict, result.quality
    return {
        "header": header,
        "camera": result.camera,
        "index": result.index,
        "state": verdict.state.gravity,
        "reason": verdict.reason,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "p_value": verdict.p_value,
        "is_ood": verdict.is_ood,
        "is_late": verdict.is_late,
        "parts": list(verdict.parts.values()),
        "history": HISTORIES.index(result.history.value),
        "alarm": _alarm(result.alarm, result.onset, result.since_ns, result.statistic),
        "quality_alarm": _alarm(quality.alarm, quality.onset, quality.since_ns, quality.statistic)
        if quality
        else _alarm(False, False, None, 0.0) | {"is_watched": False},
        "expected_quality": _quality(verdict),
        "cause": _cause(verdict),
        "abnormal_tiles": _tiles(verdict),
        "unknown_objects": _objects(verdict),
        "faulty_tiles": _mask("faulty", verdict.faulty_tiles) | {"words": verdict.tile_faults},
        "class_confidence": [] if verdict.class_confidence is None else verdict.class_confidence.tolist(),
    }


def _alarm(is_active: bool, is_onset: bool, since_ns: int | None, statistic: float) -> dict[str, Any]:
    return {
        "is_watched": True,
        "is_active": is_active,
        "is_onset": is_onset,
        "since": time_values(since_ns),
        "statistic": statistic,
    }


def _quality(verdict: Assessment) -> dict[str, Any]:
    told = verdict.quality_measure is not None
    numbers = (verdict.expected_quality, verdict.quality_low, verdict.quality_high)
    expected, low, high = (0.0 if each is None else each for each in numbers)
    return {
        "is_told": told,
        "is_known": told and not math.isnan(expected),
        "expected": expected,
        "low": low,
        "high": high,
    }


def _cause(verdict: Assessment) -> dict[str, Any]:
    return {
        "is_told": verdict.cause is not None,
        "cause": verdict.cause or "",
        "probability": verdict.cause_probability if verdict.cause is not None else 0.0,
        "candidates": list(verdict.cause_set),
        "severity": verdict.severity if verdict.cause is not None else 0.0,
    }


def _mask(name: str, mask: NDArray[np.bool_] | None) -> dict[str, Any]:
    rows, columns = (0, 0) if mask is None else mask.shape
    flags = [] if mask is None else mask.ravel().tolist()
    return {"is_told": mask is not None, "rows": rows, "columns": columns, name: flags}


def _tiles(verdict: Assessment) -> dict[str, Any]:
    values = [] if verdict.tile_values is None else verdict.tile_values.ravel().tolist()
    known = bool(values) and not math.isnan(values[0])
    return _mask("abnormal", verdict.tiles) | {"is_known": known, "distances": values, "words": verdict.tile_words}


def _objects(verdict: Assessment) -> dict[str, Any]:
    return {
        "is_told": bool(verdict.object_words),
        "is_known": verdict.object_count is not None,
        "count": verdict.object_count or 0,
        "objects": [_object(each) for each in verdict.objects],
        "words": verdict.object_words,
    }


def _object(each: UnknownObject) -> dict[str, Any]:
    values = {name: getattr(each, name) for name in each.__slots__}
    values["class_id"] = -1 if each.class_id is None else each.class_id
    values["road_distance"] = math.nan if each.road_distance is None else each.road_distance
    return values


def detection_values(verdict: Assessment, header: dict[str, Any]) -> dict[str, Any]:
    """A ``vision_msgs/Detection2DArray`` by its fields."""
    no_pose = {
        "pose": {
            "position": {"x": 0.0, "y": 0.0, "z": 0.0},
            "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
        },
        "covariance": [0.0] * 36,
    }
    detections = [
        {
            "header": header,
            "results": [
                {
                    "hypothesis": {
                        "class_id": "" if each.class_id is None else str(each.class_id),
                        "score": each.peak,
                    },
                    "pose": no_pose,
                }
            ],
            "bbox": {
                "center": {
                    "position": {"x": each.x + each.width / 2, "y": each.y + each.height / 2},
                    "theta": 0.0,
                },
                "size_x": each.width,
                "size_y": each.height,
            },
            "id": "",
        }
        for each in verdict.objects
    ]
    return {"header": header, "detections": detections}

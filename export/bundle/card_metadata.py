# SPDX-License-Identifier: Apache-2.0
"""Metadata of a model card, as the Hugging Face hub reads them at the head of a README: YAML between lines of dashes."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from export.bundle.evaluation_record import EvaluationRecord
from lsood_runtime import Manifest

_TASK = {"type": "image-segmentation", "name": "Out-of-distribution detection"}
_TAGS = ["out-of-distribution-detection", "semantic-segmentation", "onnx", "lsood"]
_DIGITS = 6


def card_metadata(manifest: Manifest, evaluation: EvaluationRecord | None) -> str:
    """Render the metadata, with the line ends and the dashes around them.

    Args:
        manifest: of the bundle; ``license`` of its options is the only thing that the user states.
        evaluation: whose figures are the results of the ``model-index``; None for a card without one.
    """
    metadata: dict[str, Any] = {"library_name": "lsood-runtime", "tags": _TAGS}
    stated = manifest.config.get("license")
    if stated:
        metadata = {"license": stated} | metadata
    if manifest.segmentation.kind != "none":
        metadata["pipeline_tag"] = _TASK["type"]
    if evaluation is not None:
        metadata["model-index"] = [{"name": manifest.name, "results": list(_results(evaluation))}]
    text = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{text}---\n"


def _results(evaluation: EvaluationRecord) -> Iterator[dict[str, Any]]:
    """One result for the in-distribution frames, and one for each shift against them."""
    rate, low, high = evaluation.false_alarm_rate
    flagged = _metric("false_alarm_rate", rate, f"False alarms at the operating point {evaluation.operating_point}")
    if (low, high) != (0, 1):  # there were enough drives for an interval
        flagged["args"] = {"low": round(low, _DIGITS), "high": round(high, _DIGITS)}
    yield _result("in-distribution", "In-distribution frames", evaluation.ind_frames, [flagged])
    for shift in evaluation.shifts:
        metrics = [
            _metric("roc_auc", shift.auroc, "AUROC against the in-distribution frames"),
            _metric("miss_rate", shift.miss_rate, f"Missed at the operating point {evaluation.operating_point}"),
        ]
        if shift.mean_iou is not None:
            metrics.append(_metric("mean_iou", shift.mean_iou, "Mean IoU of the segmentation"))
        yield _result(_identifier(shift.name), shift.name, shift.frames, metrics)


def _result(kind: str, name: str, frames: int, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": _TASK.copy(),
        "dataset": {"type": kind, "name": name, "args": {"frames": frames}},
        "metrics": metrics,
    }


def _metric(kind: str, value: float, name: str) -> dict[str, Any]:
    return {"type": kind, "value": round(value, _DIGITS), "name": name}


def _identifier(name: str) -> str:
    """A name as the hub's identifiers are written: lower case, with dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "shift"

# SPDX-License-Identifier: Apache-2.0
"""Compare the confidence of pixels with labels, as the logits are and over the bundle's temperature, by set and by class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.answers.confidence import confidences
from export.answers.maps import as_maps, grid_of_map
from export.answers.reliability import Sums, bin_sums, calibration_error
from export.evaluation.interval import Interval, without_interval
from export.evaluation.set_drives import SetDrives, figure_interval
from export.features.key import FeatureKey
from export.frames.label_cells import label_of_cells
from lsood_runtime.offline import finite_or_none

GroupKey = tuple[str, bool]
"""Name of a set, or kind of a degradation, and whether it is the latter."""


@dataclass(frozen=True)
class ClassReliability:
    """Cells that are predicted as one class.

    Attributes:
        number: of the class.
        share: of all cells.
        accuracy: share of its cells whose class is that of the label.
        confidence: mean over them, with the temperature where there is one.
        anomaly: mean of the anomaly map over them; None where no map is known.
    """

    number: int
    share: float
    accuracy: float
    confidence: float
    anomaly: float | None


@dataclass(frozen=True, eq=False)
class Reliability:
    """How far confidence and accuracy are apart in one group of frames.

    Attributes:
        name: of the set, or of the kind of degradation.
        frames: with cells that count.
        cells: of them, each of one pixel.
        accuracy: share of the cells whose class is that of the label.
        error_before: expected calibration error of the logits as they are.
        error: the same over the temperature; None without one.
        before: ``(15, 3)`` number, sum of confidences and number of right ones by bin of confidence.
        after: the same over the temperature; None without one.
        classes: that are predicted, by their numbers.
    """

    name: str
    frames: int
    cells: int
    accuracy: Interval
    error_before: Interval
    error: Interval | None
    before: Sums
    after: Sums | None
    classes: tuple[ClassReliability, ...]

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures."""
        return {
            "set": self.name,
            "frames": self.frames,
            "cells": self.cells,
            "accuracy": _triple(self.accuracy),
            "error_before": _triple(self.error_before),
            "error": None if self.error is None else _triple(self.error),
            "bins_before": self.before.tolist(),
            "bins": None if self.after is None else self.after.tolist(),
            "classes": [
                {
                    "class": each.number,
                    "share": each.share,
                    "accuracy": each.accuracy,
                    "confidence": each.confidence,
                    "anomaly": each.anomaly,
                }
                for each in self.classes
            ],
        }


@dataclass(frozen=True, eq=False)
class _FrameSums:
    """Of one frame: by bin before and after, and ``(K, 5)`` number, right ones, confidences, anomalies and their number."""

    before: Sums
    after: Sums
    classes: NDArray[np.float64]


@dataclass(eq=False)
class ReliabilityJudge:
    """Compares confidences with labels, frame by frame.

    Attributes:
        key: of the map of logits.
        temperature: of the bundle; None where it has none.
        ignored: ids in the labels that are no class.
    """

    key: FeatureKey
    temperature: float | None
    ignored: tuple[int, ...]
    _frames: dict[GroupKey, list[_FrameSums]] = field(default_factory=dict)

    def judge(
        self,
        group: GroupKey,
        maps: Mapping[FeatureKey, NDArray[np.float32]],
        label: NDArray[np.uint8],
        segmentation: tuple[int, int],
        anomaly_map: NDArray[np.float32] | None,
    ) -> None:
        """Compare a frame with its label.

        Args:
            group: that it belongs to.
            maps: ``(D,)`` of each map, that of the logits among them.
            label: ``(H, W)`` class ids.
            segmentation: rows and columns of the class map.
            anomaly_map: ``(h, w)`` of the same cells; None where it is unknown.
        """
        logits = as_maps(maps[self.key][None], self.key)[0]
        count = len(logits)
        truth = label_of_cells(label, grid_of_map(self.key), segmentation).ravel()
        counted = ~np.isin(truth, self.ignored)
        pixels, truth = logits.reshape(count, -1).T[counted], truth[counted]
        classes = pixels.argmax(axis=1)
        right, plain = classes == truth, confidences(pixels)
        soft = plain if self.temperature is None else confidences(pixels, self.temperature)
        anomaly = np.zeros(len(truth)) if anomaly_map is None else anomaly_map.ravel()[counted]
        known = np.full(len(truth), anomaly_map is not None)
        by_class = [np.bincount(classes, weights, count) for weights in (None, right, soft, anomaly, known)]
        sums = _FrameSums(bin_sums(plain, right), bin_sums(soft, right), np.stack(by_class, axis=1).astype(np.float64))
        self._frames.setdefault(group, []).append(sums)

    def figures(self, ind: str, drives: SetDrives) -> tuple[Reliability, ...]:
        """The figures of each group with labels and cells that count, that in distribution first and with intervals.

        Args:
            ind: name of the set in distribution.
            drives: of its frames, in the order in which they were judged.
        """
        found = {}
        for key, frames in self._frames.items():
            if sum(frame.classes[:, 0].sum() for frame in frames):
                own = drives if key == (ind, False) else None
                found[key] = _reliability(key[0], frames, own, softened=self.temperature is not None)
        first = found.pop((ind, False), None)
        return (*(() if first is None else (first,)), *found.values())


def _reliability(name: str, frames: list[_FrameSums], drives: SetDrives | None, *, softened: bool) -> Reliability:
    before, after = (np.stack([getattr(frame, which) for frame in frames]) for which in ("before", "after"))
    classes = np.sum([frame.classes for frame in frames], axis=0)
    cells = classes[:, 0].sum()
    return Reliability(
        name=name,
        frames=sum(bool(frame.classes[:, 0].any()) for frame in frames),
        cells=int(cells),
        accuracy=_interval(before, drives, _accuracy),
        error_before=_interval(before, drives, calibration_error),
        error=_interval(after, drives, calibration_error) if softened else None,
        before=before.sum(axis=0),
        after=after.sum(axis=0) if softened else None,
        classes=tuple(
            ClassReliability(
                number=number,
                share=float(count / cells),
                accuracy=float(right / count),
                confidence=float(confidence / count),
                anomaly=float(anomaly / known) if known else None,
            )
            for number, (count, right, confidence, anomaly, known) in enumerate(classes)
            if count
        ),
    )


def _accuracy(sums: Sums) -> NDArray[np.float64]:
    """Share ``(...)`` of right cells."""
    return np.asarray(sums[..., 2].sum(axis=-1) / sums[..., 0].sum(axis=-1))


def _interval(sums: Sums, drives: SetDrives | None, figure: Callable[[Sums], NDArray[np.float64]]) -> Interval:
    """A figure of the sums ``(n, 15, 3)`` of n frames, with its interval where their drives are known."""
    value = float(figure(sums.sum(axis=0)))
    if drives is None:
        return without_interval(value)
    return figure_interval(
        [drives], [[drives]], lambda kept: figure(np.tensordot(kept[0], sums, axes=1)), value, float("inf")
    )


def _triple(figure: Interval) -> list[float | None]:
    return [finite_or_none(figure.value), finite_or_none(figure.low), finite_or_none(figure.high)]

# SPDX-License-Identifier: Apache-2.0
"""Score sets of frames, degraded where asked for, and compare class maps with labels, one frame at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.calibration.features import EvaluationGraphs, Features, FrameFeatures
from export.errors import UsageError
from export.evaluation.failure_prediction import Overlaps, mean_iou, overlaps
from export.frames.drives import drive_names
from export.frames.labels import read_label
from export.reporter import Reporter

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FrameSet:
    """A set of frames that was scored.

    Attributes:
        source: where they come from.
        features: of each frame.
        drives: ``(N,)`` name of each frame's drive.
        iou: ``(N,)`` mean IoU of each frame; None without labels.
        mean_iou: of the whole set; None without labels.
    """

    source: FrameSource
    features: Features
    drives: tuple[str, ...]
    iou: NDArray[np.float64] | None
    mean_iou: float | None


def label_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Label files by the stem of their names.

    Raises:
        UsageError: a folder is missing, or none holds a label.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"expected a folder of labels, found none at {folder}: check --labels")
        found |= {path.stem: path for path in sorted(folder.glob("*.png"))}
    if not found and folders:
        raise UsageError(
            "expected PNG labels in the folders given by --labels, found none: name the folder that holds the files"
        )
    return found


def score_set(
    graphs: EvaluationGraphs,
    source: FrameSource,
    labels: Mapping[str, Path],
    ignored: tuple[int, ...],
    group_by: str,
    reporter: Reporter,
) -> FrameSet:
    """Run a set through the graphs, and compare the class maps with labels where its frames have any.

    Args:
        graphs: of the bundle.
        source: the set.
        labels: files by the stem of their names.
        ignored: ids in the labels that are no class.
        group_by: rule that assigns frames to drives, see :func:`export.frames.drives.drive_names`.
        reporter: of the progress.

    Raises:
        UsageError: a frame of another size, a name that the rule cannot group, labels for some of the frames only, or a
            label that cannot be used.
    """
    num_classes = graphs.manifest.segmentation.num_classes
    paths = [source.files.paths[i] for i in source.indices]
    drives = drive_names(paths, group_by)
    labelled = [path.stem in labels for path in paths]
    if any(labelled) and not all(labelled):
        raise UsageError(
            f"expected a label for every frame of {source.name}, {paths[labelled.index(False)].name} has none: "
            "add it, or leave the set's labels out"
        )
    rows: list[tuple[str, FrameFeatures]] = []
    per_frame: list[Overlaps] = []
    frames = (source[i] for i in range(len(source)))
    for path, frame in zip(paths, reporter.progress(frames, source.name, len(paths)), strict=True):
        try:
            features = graphs(frame)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        if labelled[0] and features.segmentation is not None and num_classes is not None:
            label = read_label(labels[path.stem])
            try:
                per_frame.append(overlaps(features.segmentation, label, num_classes, ignored))
            except UsageError as error:
                raise UsageError(f"{labels[path.stem]}: {error}") from error
        rows.append((str(path), replace(features, segmentation=None)))
    return FrameSet(
        source,
        Features.collect(rows),
        drives,
        np.array([mean_iou([frame]) for frame in per_frame]) if per_frame else None,
        mean_iou(per_frame) if per_frame else None,
    )

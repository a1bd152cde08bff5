# SPDX-License-Identifier: Apache-2.0
"""Score sets of frames, degraded where asked for, and compare class maps with labels, one frame at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.errors import UsageError
from export.evaluation.hurting import Losses, losses_against
from export.evaluation.mask_judge import MaskJudge
from export.evaluation.peers import OtherScores, fit_other_scores
from export.evaluation.picture_baseline import picture_numbers
from export.evaluation.reliability_judge import ReliabilityJudge
from export.features.frames import Features, FrameFeatures
from export.features.key import FeatureKey
from export.frames.clean_frames import CleanFrames
from export.frames.drives import drive_names
from export.frames.labels import LABELS, MASKS, FileKind, check_one_frame_each, read_label
from export.frames.overlaps import Overlaps, mean_iou, overlaps
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import Answers

Bytes = NDArray[np.uint8]
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FrameSet:
    """A set of N frames that was scored; of the features nothing but the entropies is kept.

    Attributes:
        source: where they come from.
        names: ``(N,)`` str, the frames' paths.
        drives: ``(N,)`` name of each frame's drive.
        score: ``(N,)`` of the bundle.
        peers: ``(N,)`` of every other score, by name.
        entropy: ``(N, C)`` float32, nats.
        iou: ``(N,)`` mean IoU of each frame; None without labels.
        overlaps: of each frame with its label; none without labels.
        mean_iou: of the whole set; None without labels.
        losses: of degraded frames against the clean ones; None for clean frames.
        answers: of the bundle on each frame, without their anomaly maps; without numbers where it answers nothing.
    """

    source: FrameSource
    names: NDArray[np.str_]
    drives: tuple[str, ...]
    score: Scores
    peers: Mapping[str, Scores]
    entropy: NDArray[np.float32]
    iou: Scores | None
    overlaps: tuple[Overlaps, ...]
    mean_iou: float | None
    losses: Losses | None
    answers: tuple[Answers, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class SetScorer:
    """Runs sets of frames through a bundle's graphs.

    The in-distribution frames go first: degraded ones are compared with them.

    Attributes:
        graphs: of the bundle.
        labels: files by the stem of their names.
        ignored: ids in the labels that are no class.
        group_by: rule that assigns frames to drives, see :func:`export.frames.drives.drive_names`.
        others: scores that are computed beside the bundle's own.
        judge: compares anomaly maps with masks; None where there are no masks.
        reliability: compares confidences with labels; None where there are no labels, or no map of logits.
        reliability: compares confidences with labels; None without labels, or without a map of logits.
        reporter: of the progress.
        clean: frames that degraded ones are compared with.
    """

    graphs: EvaluationGraphs
    labels: Mapping[str, Path] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()
    group_by: str = "none"
    others: OtherScores = field(default_factory=OtherScores)
    judge: MaskJudge | None = None
    reliability: ReliabilityJudge | None = None
    reporter: Reporter = SILENT
    clean: CleanFrames = field(default_factory=CleanFrames)

    def __call__(self, source: FrameSource, *, keep: bool = False) -> FrameSet:
        """Score a set, and compare class maps with labels where its frames have any, and with those of the clean frames.

        Args:
            source: the set.
            keep: whether degraded frames will be compared with these.

        Raises:
            UsageError: a frame of another size, a name that the rule cannot group, labels for some of the frames only, a
                label that cannot be used or belongs to two of them, or a score that is not finite.
        """
        paths = [source.files.paths[i] for i in source.indices]
        drives = drive_names(paths, self.group_by)
        labelled = [path.stem in self.labels for path in paths]
        _check_all_or_none(paths, self.labels, source, LABELS)
        judge = self.judge if source.kind is None else None
        if judge is not None:
            _check_all_or_none(paths, judge.files, source, MASKS)
        rows: list[tuple[str, FrameFeatures]] = []
        pictures: list[Scores] = []
        per_frame: list[Overlaps] = []
        agreement: list[float] = []
        num_classes = self.graphs.manifest.segmentation.num_classes
        frames = (source[i] for i in range(len(source)))
        shown = self.reporter.progress(frames, source.name, len(paths))
        for place, (index, path, frame) in enumerate(zip(source.indices, paths, shown, strict=True)):
            features, maps = self._features(path, frame)
            if judge is not None and path.stem in judge.files:
                judge.judge(source.name, place, path, _finite_map(features.answers, path, source), drives[place])
            if self.others.baseline is not None:
                pictures.append(picture_numbers(rgb(frame, source.files.channels)))
            overlap, classes = None, features.segmentation
            if labelled[0] and classes is not None and num_classes is not None:
                label, overlap = self._compared(path, classes, num_classes)
                per_frame.append(overlap)
                if self.reliability is not None:
                    group, known = (source.kind or source.name, source.kind is not None), features.answers.anomaly_map
                    self.reliability.judge(group, maps, label, classes.shape, known)
            if keep:
                self.clean.add(index, features.segmentation, overlap)
            if source.kind is not None and features.segmentation is not None:
                agreement.append(self.clean.agreement(index, features.segmentation))
            kept = replace(features.answers, anomaly_map=None)
            rows.append((str(path), replace(features, segmentation=None, answers=kept)))
        measured = Features.collect(rows)
        peers = self.others(measured, np.array(pictures) if pictures else None)
        _check_finite({"the bundle": measured.score} | peers, measured.names, source)
        return FrameSet(
            source,
            measured.names,
            drives,
            measured.score,
            peers,
            measured.rows(FeatureKey.entropy()),
            np.array([mean_iou([frame]) for frame in per_frame]) if per_frame else None,
            tuple(per_frame),
            mean_iou(per_frame) if per_frame else None,
            None if source.kind is None else losses_against(self.clean, source.indices, agreement, per_frame),
            tuple(features.answers for _, features in rows),
        )

    def _features(self, path: Path, frame: Bytes) -> tuple[FrameFeatures, Mapping[FeatureKey, NDArray[np.float32]]]:
        try:
            return self.graphs.with_maps(frame)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    def _compared(self, path: Path, classes: Bytes, num_classes: int) -> tuple[Bytes, Overlaps]:
        """The label of a frame, and the class map against it."""
        file = self.labels[path.stem]
        try:
            label = read_label(file)
            return label, overlaps(classes, label, num_classes, self.ignored)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error


def _check_all_or_none(paths: Sequence[Path], files: Mapping[str, Path], source: FrameSource, kind: FileKind) -> None:
    """Refuse a set of which some frames have a label or a mask and others have none, or two frames the same."""
    check_one_frame_each(paths, files, kind)
    without = [path for path in paths if path.stem not in files]
    if without and len(without) < len(paths):
        raise UsageError(
            f"expected a {kind.name} for every frame of {source.name}, {without[0].name} has none: add it, or leave the "
            f"set's {kind.name}s out"
        )


def _finite_map(answers: Answers, path: Path, source: FrameSource) -> NDArray[np.float32]:
    if answers.anomaly_map is None:
        raise UsageError(
            f"expected a finite anomaly map of every frame, {path} ({source.name}) has none: look at it, or leave the frame "
            "out"
        )
    return answers.anomaly_map


def _check_finite(scores: Mapping[str, Scores], names: NDArray[np.str_], source: FrameSource) -> None:
    for name, values in scores.items():
        broken = names[~np.isfinite(values)]
        if len(broken):
            raise UsageError(
                f"expected finite scores of every frame, {broken[0]} ({source.name}) has NaN or infinity by {name}: look at "
                "it, or leave the frame out"
            )


def fit_on(graphs: EvaluationGraphs, source: FrameSource, group_by: str, reporter: Reporter) -> OtherScores:
    """Fit the other scores on in-distribution frames; densities choose their bandwidth for drives that are held out.

    Raises:
        UsageError: a frame of another size.
        CalibrationError: frames that a detector cannot be fitted on.
    """
    rows: list[tuple[str, FrameFeatures]] = []
    pictures: list[Scores] = []
    frames = (source[i] for i in range(len(source)))
    for path, frame in zip(source.files.paths, reporter.progress(frames, source.name, len(source)), strict=True):
        try:
            rows.append((str(path), replace(graphs(frame), segmentation=None)))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        pictures.append(picture_numbers(rgb(frame, source.files.channels)))
    drives = drive_names(source.files.paths, group_by)
    return fit_other_scores(Features.collect(rows), np.array(pictures), drives, graphs.tap_layers)


def rgb(frame: Bytes, channels: str) -> Bytes:
    """A frame in RGB, whatever the order of its channels, ``rgb`` or ``bgr``."""
    return np.ascontiguousarray(frame[..., ::-1]) if channels == "bgr" else frame

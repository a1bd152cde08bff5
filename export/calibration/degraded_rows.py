# SPDX-License-Identifier: Apache-2.0
"""Measure calibration frames clean and degraded, and how good their segmentation is, to fit answers on.

Each frame is degraded in a few kinds and severities, drawn so that over all frames each kind at each severity comes equally
often, and changed harmlessly once, each way in turn. Frames that show a kind of a user's own follow as they are; no clean
frame belongs to them, so that their quality is unknown. The number of passes is bounded, and with it the memory: the rows
stay in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.anomalies import COMMON_KINDS, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.answers.rows import CHANGED_SEVERITY, UNKNOWN_SEVERITY, DegradedRows
from export.calibration.harmless_changes import HARMLESS, changed_harmlessly
from export.calibration.measuring import Measure, MeasuredFrame, Spread, one_process
from export.calibration.own_causes import MOST_OWN, OwnCause
from export.calibration.time_left import telling_time_left
from export.errors import CalibrationError, UsageError
from export.features.key import FeatureKey
from export.frames.clean_frames import CleanFrames
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.frames.labels import check_one_frame_each, read_label
from export.frames.overlaps import check_label_ids, mean_iou, overlaps
from export.reporter import Reporter
from lsood_runtime.offline import NO_CAUSE

CLEAN, ROWS, MOST_EACH = 300, 3300, 14
"""Clean frames, and rows in all, at most; degradations of each frame, at most. Each frame is changed harmlessly once more."""

READ_AHEAD = 40
"""Labels that are read before anything is measured, at most."""

DegradationCell = tuple[str, int]
"""A kind of degradation and a severity."""


@dataclass(frozen=True)
class Labels:
    """Labels of frames.

    Attributes:
        files: by the stem of their names; empty where the quality is the agreement with the clean frame.
        ignored: ids that are no class.
        num_classes: of the segmentation; None without one.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()
    num_classes: int | None = None


def degradations_each(frames: int) -> int:
    """How many degradations each of so many clean frames gets."""
    return min(MOST_EACH, max(ROWS // max(frames, 1) - 2, 1))


def passes(frames: int, causes: Sequence[OwnCause] = ()) -> int:
    """Passes of the network for so many calibration frames, and for the frames of a user's own kinds."""
    clean = min(frames, CLEAN)
    return clean * (2 + degradations_each(clean)) + sum(map(_most, causes))


def draw_cells(frames: int, kinds: Sequence[str], seed: int) -> list[tuple[DegradationCell, ...]]:
    """Draw kinds and severities for each frame, so that every one of them comes equally often, but for one.

    Args:
        frames: how many.
        kinds: of degradation.
        seed: of the draw.
    """
    cells, each = [(kind, severity) for kind in kinds for severity in SEVERITIES], degradations_each(frames)
    rng, rounds = np.random.default_rng(seed), -(-frames * each // len(cells))
    drawn = list(chain.from_iterable(rng.permutation(len(cells)).tolist() for _ in range(rounds)))
    return [tuple(cells[place] for place in drawn[i * each : (i + 1) * each]) for i in range(frames)]


def measure_degraded(
    files: FrameFiles,
    fitted: NDArray[np.int64],
    drives: Callable[[NDArray[np.int64]], Sequence[str]],
    measure: Measure,
    labels: Labels,
    seed: int,
    reporter: Reporter,
    causes: Sequence[OwnCause] = (),
    spread: Spread = one_process,
) -> DegradedRows:
    """Measure evenly spaced frames, clean and degraded, and evenly spaced ones of a user's own kinds.

    Args:
        files: the calibration frames.
        fitted: indices of those that detectors are fitted on.
        drives: names of the drives of frames, by their indices.
        measure: gives the features of a frame, and its class map where there is a segmentation.
        labels: of the frames; where there are none, the quality is the agreement with the clean frame's class map.
        seed: of the draw and of the degradations.
        reporter: told how far this has come.
        causes: kinds of a user's own.
        spread: measures in this process, or in several.

    Raises:
        UsageError: a frame without a label where others have one, or a label that cannot be used.
        CalibrationError: a feature that is not finite, or no frame whose label has a pixel that counts.
    """
    check_labelled(files, fitted, labels)
    chosen = evenly_spaced(fitted, CLEAN)
    cells = draw_cells(len(chosen), COMMON_KINDS, seed)
    reporter.stage(
        f"{passes(len(fitted), causes):,} passes of the network for the answers (clean frames: {len(chosen)}, each also "
        f"changed harmlessly once; degradations of each: {degradations_each(len(chosen))}"
        f"{''.join(f', {own.name}: {_most(own)}' for own in causes)})"
    )
    todo: list[_Made | _Own] = [
        *(
            _Made(int(index), cell)
            for place, (index, own) in enumerate(zip(chosen, cells, strict=True))
            for cell in ((NO_CAUSE, 0), (NO_CAUSE, CHANGED_SEVERITY - place % len(HARMLESS)), *own)
        ),
        *(_Own(own, int(index)) for own in causes for index in evenly_spaced(np.arange(len(own.files)), MOST_OWN)),
    ]
    rows = _Rows(files, labels)
    with spread(_Degrading(files, seed), measure) as run:
        timed = telling_time_left(run(todo, 1), "the answers", len(todo), reporter)
        for each, measured in zip(todo, reporter.progress(timed, "degrading", len(todo)), strict=True):
            rows.add(each, *measured)
    return rows.collected(drives)


def _most(own: OwnCause) -> int:
    return min(len(own.files), MOST_OWN)


@dataclass(frozen=True)
class _Made:
    """A calibration frame, degraded or clean."""

    index: int
    cell: DegradationCell


@dataclass(frozen=True)
class _Own:
    """A frame of a kind of a user's own."""

    own: OwnCause
    index: int


@dataclass(frozen=True, eq=False)
class _Degrading:
    """Makes a frame and measures it."""

    files: FrameFiles
    seed: int

    def __call__(self, measure: Measure, each: _Made | _Own) -> MeasuredFrame:
        """Features and class map of a frame.

        Raises:
            CalibrationError: a feature that is not finite.
        """
        if isinstance(each, _Own):
            what, frame = str(each.own.files.paths[each.index]), each.own.files[each.index]
        else:
            what, frame = f"{self.files.paths[each.index]}{_how(*each.cell)}", self._frame(each.index, *each.cell)
        values, classes = measure(frame)
        for key, numbers in values.items():
            if not np.isfinite(numbers).all():
                raise CalibrationError(
                    f"expected finite features, {what} gives NaN or infinity in {key}: look at it, or leave --answers out"
                )
        return values, classes

    def _frame(self, index: int, kind: str, severity: int) -> NDArray[np.uint8]:
        if severity == 0:
            return self.files[index]
        if kind == NO_CAUSE:
            turned = slice(None, None, -1 if self.files.channels == "bgr" else 1)
            changed = changed_harmlessly(self.files[index][..., turned], CHANGED_SEVERITY - severity, self.seed + index)
            return np.ascontiguousarray(changed[..., turned])
        return FrameSource(kind, self.files, (index,), kind, severity, self.seed)[0]


def _how(kind: str, severity: int) -> str:
    """What was done to a frame, in words behind its name."""
    if severity == 0:
        return ""
    return " changed a little" if kind == NO_CAUSE else f" with {kind} of severity {severity}"


class _Rows:
    """Gathers rows; the clean frame comes before those that are made of it."""

    def __init__(self, files: FrameFiles, labels: Labels) -> None:
        self._files, self._labels = files, labels
        self._clean = CleanFrames()
        self._values: dict[FeatureKey, list[NDArray[np.float32]]] = {}
        self._cells: list[DegradationCell] = []
        self._frames: list[int] = []
        self._quality: list[float] = []
        self._own_drives: list[str] = []
        self._segmented = True

    def add(
        self, each: _Made | _Own, values: Mapping[FeatureKey, NDArray[np.floating]], classes: NDArray[np.uint8] | None
    ) -> None:
        """Add a frame that was measured; those of a kind of a user's own come behind all others."""
        if isinstance(each, _Own):
            number = len(self._files) + len(self._own_drives)
            self._own_drives.append(each.own.drives[each.index])
            self._append(values, (each.own.name, UNKNOWN_SEVERITY), number, np.nan)
            return
        self._segmented = self._segmented and classes is not None
        quality = 1.0 if classes is None else self._quality_of(each.index, each.cell[1], classes)
        if not np.isnan(quality):  # else the label has no pixel that counts
            self._append(values, each.cell, each.index, quality)

    def _append(
        self, values: Mapping[FeatureKey, NDArray[np.floating]], cell: DegradationCell, frame: int, quality: float
    ) -> None:
        self._quality.append(quality)
        self._cells.append(cell)
        self._frames.append(frame)
        for key, numbers in values.items():
            self._values.setdefault(key, []).append(np.asarray(numbers, np.float32))

    def _quality_of(self, index: int, severity: int, classes: NDArray[np.uint8]) -> float:
        labels = self._labels
        if labels.files and labels.num_classes is not None:
            file = labels.files[self._files.paths[index].stem]
            try:
                return mean_iou([overlaps(classes, read_label(file), labels.num_classes, labels.ignored)])
            except UsageError as error:
                raise UsageError(f"{file}: {error}") from error
        if severity == 0:
            self._clean = CleanFrames()
            self._clean.add(index, classes, None)
        return self._clean.agreement(index, classes)

    def collected(self, drives: Callable[[NDArray[np.int64]], Sequence[str]]) -> DegradedRows:
        """All rows."""
        made = len(self._cells) - len(self._own_drives)
        if not made:
            raise CalibrationError(
                "expected labels with pixels that count, got none: check --labels and --ignore-label, or leave --labels out"
            )
        frames = np.array(self._frames, np.int64)
        return DegradedRows(
            values={key: np.stack(rows) for key, rows in self._values.items()},
            kind=np.array([kind for kind, _ in self._cells]),
            severity=np.array([severity for _, severity in self._cells], np.int64),
            drive=np.array([*drives(frames[:made]), *self._own_drives]),
            frame=frames,
            quality=np.array(self._quality) if self._segmented else None,
            measure=None if not self._segmented else "miou" if self._labels.files else "agreement",
        )


def check_labelled(files: FrameFiles, fitted: NDArray[np.int64], labels: Labels) -> None:
    """Refuse labels that some of the frames have, and others that :func:`measure_degraded` would measure have not.

    A few of the labels are read, evenly spaced: what is wrong with a set of labels is wrong with most of them.

    Raises:
        UsageError: it names the first frame without one, two frames with the same one, or a label that is no map of classes.
    """
    paths = [files.paths[int(index)] for index in evenly_spaced(fitted, CLEAN)]
    missing = [path for path in paths if path.stem not in labels.files]
    if labels.files and missing:
        raise UsageError(
            f"expected a label for every calibration frame, {missing[0].name} has none: add it, or leave --labels out"
        )
    check_one_frame_each(paths, labels.files)
    if labels.files:
        for place in evenly_spaced(np.arange(len(paths)), READ_AHEAD):
            label = read_label(labels.files[paths[int(place)].stem])
            _check_ids(label, labels.files[paths[int(place)].stem], labels)


def _check_ids(label: NDArray[np.uint8], file: Path, labels: Labels) -> None:
    if labels.num_classes is None:
        return
    try:
        check_label_ids(label, labels.num_classes, labels.ignored)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error

# SPDX-License-Identifier: Apache-2.0
"""Which frames are degraded how, and how good their segmentation is."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from export.anomalies import COMMON_KINDS, SEVERITIES, degrade
from export.answers.rows import CHANGED_SEVERITY
from export.calibration.degraded_rows import (
    CLEAN,
    MOST_EACH,
    ROWS,
    Labels,
    degradations_each,
    draw_cells,
    measure_degraded,
    passes,
)
from export.calibration.harmless_changes import HARMLESS, changed_harmlessly
from export.calibration.measuring import MeasuredFrame
from export.calibration.own_causes import MOST_OWN, OwnCause
from export.errors import CalibrationError, UsageError
from export.features.key import PICTURE
from export.frames.files import FrameFiles
from export.reporter import SILENT
from tests.export.pipeline.told_reporter import ToldReporter


def _classes(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A class map: the largest channel of each pixel."""
    classes: NDArray[np.uint8] = frame.argmax(axis=2).astype(np.uint8)
    return classes


def _measure(frame: NDArray[np.uint8]) -> MeasuredFrame:
    return {PICTURE: frame.reshape(-1, 3).mean(axis=0).astype(np.float32)}, _classes(frame)


def _drives(indices: NDArray[np.int64]) -> list[str]:
    return [f"drive {index // 4}" for index in indices]


def _made(clean: NDArray[np.uint8], kind: str, severity: int, seed: int) -> NDArray[np.uint8]:
    if severity < 0:
        return changed_harmlessly(clean, CHANGED_SEVERITY - severity, seed)
    return clean if kind == "none" else degrade(clean, kind, severity, seed)


@pytest.fixture
def files(tmp_path: Path) -> FrameFiles:
    """Ten frames of noise."""
    rng = np.random.default_rng(5)
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return FrameFiles((tmp_path,))


@given(st.integers(1, 500), st.integers(1, 20), st.integers(0, 9))
def test_draw_cells_of_any_frames_is_balanced_and_the_same_each_time(frames: int, kinds: int, seed: int) -> None:
    names = tuple(f"kind{i}" for i in range(kinds))
    drawn = draw_cells(frames, names, seed)
    assert drawn == draw_cells(frames, names, seed)
    assert [len(own) for own in drawn] == [degradations_each(frames)] * frames
    counts = Counter(cell for own in drawn for cell in own)
    assert len(counts) == min(kinds * len(SEVERITIES), frames * degradations_each(frames))
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.integers(1, 10_000))
def test_passes_of_any_number_of_frames_are_bounded(frames: int) -> None:
    clean = min(frames, CLEAN)
    assert passes(frames) <= max(ROWS, 3 * clean)
    assert passes(frames) <= clean * (2 + MOST_EACH)


@pytest.mark.parametrize(("frames", "each"), [(120, 14), (206, 14), (207, 13), (300, 9), (5000, 9)], ids="{}".format)
def test_passes_of_the_frames_that_the_page_of_answers_names_are_what_it_says(frames: int, each: int) -> None:
    assert degradations_each(min(frames, CLEAN)) == each
    assert passes(frames) == min(frames, CLEAN) * (2 + each)


def test_measure_degraded_without_labels_measures_agreement_with_the_clean_frame(files: FrameFiles) -> None:
    fitted = np.arange(1, 10)
    rows = measure_degraded(files, fitted, _drives, _measure, Labels(), 3, SILENT)
    assert len(rows) == passes(9)
    assert rows.measure == "agreement"
    assert rows.quality is not None
    assert set(rows.frame) == set(fitted)
    assert list(rows.drive) == _drives(rows.frame)
    for i in range(len(rows)):
        clean = np.array(files[int(rows.frame[i])])
        kind, severity = str(rows.kind[i]), int(rows.severity[i])
        assert (kind == "none") == (severity <= 0)
        frame = _made(clean, kind, severity, 3 + int(rows.frame[i]))
        assert rows.quality[i] == pytest.approx(np.mean(_classes(frame) == _classes(clean)))
        np.testing.assert_allclose(rows.values[PICTURE][i], frame.reshape(-1, 3).mean(axis=0), rtol=1e-5)
    assert set(rows.kind) == {"none", *COMMON_KINDS}
    ways = Counter(rows.severity[rows.changed].tolist())
    assert set(ways) == {CHANGED_SEVERITY - way for way in range(len(HARMLESS))}
    assert sum(ways.values()) == len(fitted)
    assert max(ways.values()) - min(ways.values()) <= 1, "each way in turn"


def _mean_iou(classes: NDArray[np.uint8], label: NDArray[np.uint8]) -> float:
    counted = label != 9
    shares = []
    for number in range(3):
        guess, truth = (classes == number) & counted, (label == number) & counted
        if (guess | truth).any():
            shares.append((guess & truth).sum() / (guess | truth).sum())
    return float(np.mean(shares)) if shares else float("nan")


def test_measure_degraded_with_labels_measures_miou_and_leaves_out_labels_that_say_nothing(
    files: FrameFiles, tmp_path: Path
) -> None:
    rng, labels = np.random.default_rng(8), tmp_path / "labels"
    labels.mkdir()
    maps = [rng.choice([0, 1, 2, 9], size=(12, 16)).astype(np.uint8) for _ in range(10)]
    maps[4][:] = 9
    for i, label in enumerate(maps):
        Image.fromarray(label).save(labels / f"{i}.png")
    found = Labels({str(i): labels / f"{i}.png" for i in range(10)}, (9,), 3)
    rows = measure_degraded(files, np.arange(10), _drives, _measure, found, 3, SILENT)
    assert rows.measure == "miou"
    assert rows.quality is not None
    assert set(rows.frame) == set(range(10)) - {4}
    for i in range(0, len(rows), 7):
        frame, kind = np.array(files[int(rows.frame[i])]), str(rows.kind[i])
        frame = _made(frame, kind, int(rows.severity[i]), 3 + int(rows.frame[i]))
        assert rows.quality[i] == pytest.approx(_mean_iou(_classes(frame), maps[rows.frame[i]]))


def test_measure_degraded_without_a_segmentation_has_no_quality(files: FrameFiles) -> None:
    rows = measure_degraded(
        files, np.arange(10), _drives, lambda frame: (_measure(frame)[0], None), Labels(), 3, SILENT
    )
    assert (rows.quality, rows.measure) == (None, None)


def test_measure_degraded_feature_that_is_not_finite_is_refused_by_name(files: FrameFiles) -> None:
    def broken(frame: NDArray[np.uint8]) -> MeasuredFrame:
        return {PICTURE: np.full(3, np.nan, np.float32)}, None

    with pytest.raises(CalibrationError, match=r"expected finite features, .*0\.png gives NaN or infinity in picture"):
        measure_degraded(files, np.arange(10), _drives, broken, Labels(), 3, SILENT)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.fromarray(np.zeros((12, 16, 3), np.uint8)), r"expected one byte a pixel in the label .*7\.png"),
        (Image.fromarray(np.full((12, 16), 3, np.uint8)), r"7\.png: expected label ids below 3 or ignored ones, got 3"),
        (None, r"expected a label image, could not read .*7\.png"),
    ],
    ids=["colours", "no class", "no image"],
)
def test_measure_degraded_label_that_is_no_map_of_classes_is_refused_before_anything_is_measured(
    image: Image.Image | None, message: str, files: FrameFiles, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for i in range(10):
        Image.fromarray(np.full((12, 16), i % 4 if i % 4 < 3 else 9, np.uint8)).save(labels / f"{i}.png")
    if image is None:
        (labels / "7.png").write_bytes(b"text")
    else:
        image.save(labels / "7.png")
    found = Labels({str(i): labels / f"{i}.png" for i in range(10)}, (9,), 3)

    def unasked(frame: NDArray[np.uint8]) -> MeasuredFrame:
        raise AssertionError("a frame is measured before the labels are read")

    with pytest.raises(UsageError, match=message):
        measure_degraded(files, np.arange(10), _drives, unasked, found, 3, SILENT)


@pytest.mark.parametrize("frames", [1, 9])
def test_measure_degraded_tells_its_passes_before_it_begins(frames: int, files: FrameFiles) -> None:
    told = ToldReporter()
    rows = measure_degraded(files, np.arange(frames), _drives, _measure, Labels(), 3, told)
    each = len(rows) // frames - 2
    assert told.lines == [
        f"{len(rows):,} passes of the network for the answers (clean frames: {frames}, each also changed harmlessly once; "
        f"degradations of each: {each})"
    ]


def test_measure_degraded_frame_without_a_label_is_refused(files: FrameFiles, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a label for every calibration frame, 1\.png has none"):
        measure_degraded(files, np.arange(10), _drives, _measure, Labels({"0": tmp_path / "0.png"}, (), 3), 3, SILENT)


@pytest.mark.parametrize("count", [20, MOST_OWN + 3])
def test_measure_degraded_with_kinds_of_a_users_own_measures_their_frames_as_they_are_behind_all_others(
    count: int, files: FrameFiles, tmp_path: Path
) -> None:
    (folder := tmp_path / "soiled").mkdir()
    rng = np.random.default_rng(6)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    own, told = OwnCause.of("soiling", FrameFiles((folder,))), ToldReporter()
    rows = measure_degraded(files, np.arange(4), _drives, _measure, Labels(), 3, told, (own,))
    without = measure_degraded(files, np.arange(4), _drives, _measure, Labels(), 3, SILENT)
    most = min(count, MOST_OWN)
    assert len(rows) == passes(4, (own,)) == len(without) + most
    assert told.lines[0].endswith(f", soiling: {most})")
    assert rows.quality is not None
    assert without.quality is not None
    np.testing.assert_array_equal(rows.quality, [*without.quality, *[np.nan] * most])
    for name in ("kind", "severity", "drive", "frame"):
        np.testing.assert_array_equal(getattr(rows, name)[: len(without)], getattr(without, name))
    assert rows.own.sum() == most
    assert set(rows.kind[rows.own]) == {"soiling"}
    assert set(rows.drive[rows.own]) == {"soiling: soiled"}
    assert len(set(rows.frame[rows.own]) - set(range(len(files)))) == most
    means = {np.array(frame).reshape(-1, 3).mean(axis=0).astype(np.float32).tobytes() for frame in own.files}
    assert {mean.tobytes() for mean in rows.values[PICTURE][rows.own]} <= means

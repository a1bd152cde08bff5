# SPDX-License-Identifier: Apache-2.0
"""The picture of scores over time: what is drawn is compared with the frames, by matplotlib's own objects."""

import math
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from lsood_runtime import CalibrationRecord, MediaError, State
from lsood_runtime._cli.stretches import Point, Stretches
from lsood_runtime._cli.timeline import Timeline
from lsood_runtime._cli.timeline_panel import alarm_spans

MEDIAN, THRESHOLD = 10.0, 13.0
CALIBRATION = CalibrationRecord(
    scores=(8.0, MEDIAN, 12.0), effective_frames=3.0, drives={}, fit_drives={}, warnings=(), source=""
)
TOP, BOTTOM = THRESHOLD + 4 * (THRESHOLD - MEDIAN), MEDIAN - 4 * (THRESHOLD - MEDIAN)
TENTH, SECOND = 10**8, 10**9
BLUE = "#2a6fbb"

SCORES = st.floats(-1e9, 1e9) | st.floats(BOTTOM, TOP)


@st.composite
def drives(draw: st.DrawFn, most: int = 60) -> list[Point]:
    """Frames at ten a second, some left out; states and scores fit each other."""
    points, stamp, alarm = list[Point](), draw(st.integers(0, 2**60)), False
    for _ in range(draw(st.integers(1, most))):
        stamp += TENTH * draw(st.sampled_from([1] * 9 + [60]))
        score = draw(SCORES | st.just(math.inf))
        if math.isinf(score):
            state = State.INVALID
        elif score > THRESHOLD:
            state = State.OUT_OF_DISTRIBUTION
        else:
            state = draw(st.sampled_from([State.OK, State.LATE]))
        alarm = draw(st.booleans())
        points.append(Point(stamp, score, state, alarm, late=state is State.LATE or draw(st.booleans())))
    return points


def figure_of(cameras: dict[str, list[Point]], rule: str = "3of5") -> Figure:
    timeline = Timeline(THRESHOLD, CALIBRATION, "bundle monitor, operating point default")
    timeline.rule = rule
    for camera, points in cameras.items():
        for point in points:
            timeline.add(camera, point)
    return timeline.figure()


def data(line: Line2D) -> NDArray[np.float64]:
    """Places and heights, a row each."""
    return np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])


def lines(axis: Axes, marker: str, colour: str | None = None) -> list[Line2D]:
    return [
        line
        for line in axis.lines
        if line.get_marker() == marker and len(data(line)) and colour in (None, line.get_color())
    ]


def marked(axis: Axes, marker: str, colour: str | None = None) -> list[tuple[float, float]]:
    """Places and heights of marks."""
    return [(float(x), float(y)) for line in lines(axis, marker, colour) for x, y in data(line)]


def score_line(axis: Axes) -> Line2D:
    (line,) = lines(axis, "None", BLUE)
    return line


@given(st.lists(st.booleans(), max_size=30))
def test_alarm_spans_any_alarms_cover_them(alarms: list[bool]) -> None:
    spans = alarm_spans(alarms)
    covered = {i for start, end in spans for i in range(start, end + 1)}
    assert covered == {i for i, alarm in enumerate(alarms) if alarm}
    assert all(b[0] - a[1] > 1 for a, b in pairwise(spans))


@settings(deadline=None, max_examples=20)
@given(drives())
def test_timeline_of_a_short_drive_draws_every_frame_at_its_score(points: list[Point]) -> None:
    axis = figure_of({"front": points}).axes[0]
    low, high = axis.get_ylim()
    drawn = np.asarray(score_line(axis).get_ydata(), float)
    finite = [point.score for point in points if math.isfinite(point.score)]
    assert sorted(drawn[~np.isnan(drawn)]) == pytest.approx(sorted(np.clip(finite, BOTTOM, TOP)))
    assert low < min([*drawn[~np.isnan(drawn)], THRESHOLD])
    assert max([*drawn[~np.isnan(drawn)], THRESHOLD]) < high
    assert high - low < 2 * (TOP - BOTTOM), "no outlier flattens the others"
    assert len(marked(axis, "^")) == sum(score > TOP for score in finite)
    assert len(marked(axis, "v")) == sum(score < BOTTOM for score in finite)
    inside = [p.score for p in points if p.state is State.OUT_OF_DISTRIBUTION and p.score <= TOP]
    assert sorted(height for _, height in marked(axis, "o")) == pytest.approx(sorted(inside))


@settings(deadline=None, max_examples=20)
@given(drives())
def test_timeline_marks_of_invalid_and_late_frames_hide_no_score(points: list[Point]) -> None:
    """They lie below every score, each in a lane of its own."""
    axis = figure_of({"front": points}).axes[0]
    drawn = np.asarray(score_line(axis).get_ydata(), float)
    lanes = {name: marked(axis, "|", colour) for name, colour in (("invalid", "#111111"), ("late", "#e3a008"))}
    assert len(lanes["invalid"]) == sum(point.state is State.INVALID for point in points)
    assert len(lanes["late"]) == sum(point.late for point in points)
    heights = [{height for _, height in lane} for lane in lanes.values()]
    assert all(len(lane) <= 1 for lane in heights)
    assert heights[0].isdisjoint(heights[1])
    shown = drawn[~np.isnan(drawn)]
    assert all(height < min([*shown, MEDIAN]) for lane in heights for height in lane)
    assert all(height > axis.get_ylim()[0] for lane in heights for height in lane)


@settings(deadline=None, max_examples=20)
@given(drives())
def test_timeline_line_breaks_where_frames_are_missing_and_only_there(points: list[Point]) -> None:
    """Six seconds without a frame, where frames come ten a second; a frame without a score breaks it too."""
    axis = figure_of({"front": points}).axes[0]
    steps = [b.stamp_ns - a.stamp_ns for a, b in pairwise(points)]
    usual = median(steps) if steps else math.inf
    drawn = np.asarray(score_line(axis).get_ydata(), float)
    broken = sum(step > 5 * usual for step in steps)
    assert np.isnan(drawn).sum() == broken + sum(math.isinf(point.score) for point in points)
    assert len(drawn) == len(points) + broken


def test_timeline_of_a_recording_and_of_images_begins_both_at_its_start() -> None:
    """Stamps of images count from 0, those of a recording from 1970: one axis for both would show neither."""
    start = 1_700_000_000 * 10**9
    recorded = [Point(start + i * 10**9, MEDIAN, State.OK, False) for i in range(60)]
    counted = [Point(i * TENTH, MEDIAN, State.OK, False) for i in range(30)]
    figure = figure_of({"camera_10": recorded, "camera_2": counted, "images": recorded[30:]})
    titles = [axis.get_title(loc="left").partition(":")[0] for axis in figure.axes]
    assert titles == ["camera_2", "camera_10", "images"]
    spans = [np.asarray(score_line(axis).get_xdata(), float)[[0, -1]].tolist() for axis in figure.axes]
    assert spans == [pytest.approx([0.0, 2.9]), [0.0, 59.0], [30.0, 59.0]]
    assert "2023-11-14 22:13:20 UTC, or from the first one without a date" in figure.axes[-1].get_xlabel()
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()][:2] == ["0:00", "0:05"]


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 2**32), st.integers(401, 8_000), st.integers(0, 3))
def test_timeline_of_a_long_drive_is_its_range_and_its_median(seed: int, count: int, outliers: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(MEDIAN, 1, count) + 3 * np.sin(np.arange(count) * 6 / count)
    scores[rng.integers(0, count, outliers)] = 1e12
    states = [State.OUT_OF_DISTRIBUTION if score > THRESHOLD else State.OK for score in scores]
    points = [Point(i * SECOND, float(scores[i]), states[i], False) for i in range(count)]
    axis = figure_of({"front": points}).axes[0]
    (band,) = [found for found in axis.collections if isinstance(found, PolyCollection)]
    edge = np.concatenate([np.asarray(path.vertices) for path in band.get_paths()])
    assert edge[:, 1].max() == pytest.approx(min(scores.max(), TOP))
    assert edge[:, 1].min() == pytest.approx(max(scores.min(), BOTTOM))
    columns = columns_of(count)
    parts = [np.flatnonzero(columns == column) for column in np.unique(columns)]
    assert len(parts) <= 400
    assert np.asarray(score_line(axis).get_xdata(), float).tolist() == [(part[0] + part[-1]) / 2 for part in parts]
    medians = np.clip([np.median(scores[part]) for part in parts], BOTTOM, TOP)
    assert np.asarray(score_line(axis).get_ydata(), float) == pytest.approx(medians)
    assert len(marked(axis, "^")) == len(np.unique(columns[scores > TOP]))


def columns_of(count: int) -> NDArray[np.int64]:
    """The part of a drive, of 400 equal ones, in which each frame is drawn; above 4,096 frames two stay together."""
    together = 1 if count <= 4096 else 2
    firsts = range(0, count, together)
    parts = [min(int(first / (count - 1) * 400), 399) for first in firsts]
    return np.repeat(np.array(parts), together)[:count]


@settings(deadline=None, max_examples=20)
@given(drives())
def test_timeline_shading_covers_the_alarms_alone(points: list[Point]) -> None:
    axis = figure_of({"front": points}).axes[0]
    shades = [
        (patch.get_x(), patch.get_x() + patch.get_width())
        for patch in axis.patches
        if isinstance(patch, Rectangle) and patch.get_alpha() == 0.15
    ]
    first = points[0].stamp_ns
    cut = any(patch.get_hatch() for patch in axis.patches)
    spans = alarm_spans([point.alarm for point in points])
    assert len(shades) == len(spans)
    for (start, end), shade in zip(spans, shades, strict=True):
        if not cut:
            assert shade[0] == pytest.approx((points[start].stamp_ns - first) / 1e9)
            assert shade[1] >= (points[end].stamp_ns - first) / 1e9


def test_timeline_of_several_cameras_has_a_panel_for_each_on_one_scale() -> None:
    shifted = [Point(i * TENTH, 20.0 if 30 <= i < 40 else 10.0, State.OK, 33 <= i < 45) for i in range(90)]
    names = [f"/camera_{i}/$x_{{1" for i in range(6)]
    figure = figure_of({name: shifted[i:] for i, name in enumerate(names)})
    assert len(figure.axes) == 6
    for i, (axis, name) in enumerate(zip(figure.axes, names, strict=True)):
        assert axis.get_title("left") == f"{name}: {90 - i} frames, 1 alarm"
        assert axis.get_ylim() == figure.axes[0].get_ylim()
        assert axis.get_xlim() == figure.axes[0].get_xlim()


def test_timeline_title_names_bundle_operating_point_and_rule_and_the_legend_all_that_is_drawn() -> None:
    states = [State.OK, State.LATE, State.INVALID, State.OUT_OF_DISTRIBUTION, State.OUT_OF_DISTRIBUTION, State.OK]
    scores = [10.0, 11.0, math.inf, 14.0, 1e6, -1e6]
    points = [
        Point(i * TENTH, score, state, i > 2) for i, (score, state) in enumerate(zip(scores, states, strict=True))
    ]
    figure = figure_of({"front": [*points, Point(10**13, 10.0, State.OK, False)]}, "cusum:1h@30")
    title = figure.get_suptitle()
    assert title == "bundle monitor, operating point default\nalarm cusum:1h@30"
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        "threshold 13",
        "score",
        "alarm",
        "out of distribution",
        "above what is drawn",
        "below what is drawn",
        "invalid",
        "late",
        "no frames, cut short",
    }
    (plain,) = figure_of({"front": points[:1] * 2}, "").legends
    assert {text.get_text() for text in plain.get_texts()} == {"threshold 13", "score"}


def test_timeline_of_an_hour_in_merged_stretches_breaks_at_its_gap() -> None:
    """A camera that was silent for four minutes: the pause lies inside of what was merged."""
    points = [
        Point(i * TENTH + (240 * 10**9 if i >= 12_345 else 0), 10.0 + i % 3, State.OK, False) for i in range(36_000)
    ]
    axis = figure_of({"front": points}).axes[0]
    x, y = (np.asarray(values, float) for values in (score_line(axis).get_xdata(), score_line(axis).get_ydata()))
    assert np.isnan(y).sum() == 1
    (place,) = np.flatnonzero(np.isnan(y))
    assert x[place - 1] == pytest.approx(1234.4, abs=15)
    assert x[place + 1] == pytest.approx(1474.5, abs=15)
    (band,) = axis.collections
    edges = np.concatenate([np.asarray(path.vertices)[:, 0] for path in band.get_paths()])
    assert not ((edges > 1250) & (edges < 1460)).any(), "nothing is drawn in the gap"


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "jpg"])
@pytest.mark.parametrize("camera", ["$", "$x_{1$", "a\\b", "^_%"])
def test_timeline_of_any_name_is_drawn(tmp_path: Path, camera: str, suffix: str) -> None:
    timeline = Timeline(THRESHOLD, CALIBRATION, camera)
    timeline.rule = camera
    timeline.add(camera, Point(1, 1.0, State.OK, False))
    timeline.draw(tmp_path / f"picture.{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"picture.{suffix}"]


TIMELINES = (
    [Point(0, 1.0, State.OK, False)],
    [Point(i * 10**8, math.inf if i == 2 else 1e6 * i, list(State)[i % 4], i > 2) for i in range(9)],
    [Point(5, math.inf, State.INVALID, True)] * 2,
    [Point(stamp, 1.0, State.OK, True) for stamp in (9, 4, 2**62, 0, 3)],
)


@pytest.mark.parametrize("points", TIMELINES)
def test_timeline_any_drive_is_drawn(tmp_path: Path, points: list[Point]) -> None:
    timeline = Timeline(THRESHOLD, CALIBRATION)
    for camera in ("front", "rear"):
        for point in points:
            timeline.add(camera, point)
    timeline.draw(tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as picture:
        assert picture.size[0] > 1000
    with pytest.raises(MediaError, match="cannot write the picture"):
        timeline.draw(tmp_path / "no" / "t.png")
    with pytest.raises(MediaError, match="at least one frame"):
        Timeline(1.0, CALIBRATION).draw(tmp_path / "t.png")


@pytest.mark.parametrize("middle", [0.0, THRESHOLD])
def test_timeline_of_a_calibration_without_a_scale_is_drawn(middle: float) -> None:
    """All calibration scores equal the threshold, or it is zero."""
    record = CalibrationRecord(scores=(middle,), effective_frames=1.0, drives={}, fit_drives={}, warnings=(), source="")
    timeline = Timeline(middle, record)
    timeline.add("front", Point(0, middle, State.OK, False))
    low, high = timeline.figure().axes[0].get_ylim()
    assert low < middle < high


@given(st.lists(st.floats(0, 1) | st.just(math.nan), min_size=2, max_size=60), st.lists(st.booleans(), min_size=60))
@settings(max_examples=15, deadline=None)
def test_timeline_of_a_bundle_that_tells_the_quality_draws_it_at_the_right(
    qualities: list[float], low: list[bool]
) -> None:
    timeline = Timeline(THRESHOLD, CALIBRATION, "", "expected mIoU")
    for i, quality in enumerate(qualities):
        state = State.LOW_QUALITY if low[i] else State.OK
        timeline.add("front", Point(i * TENTH, 10.0, state, False, quality=quality))
    figure = timeline.figure()
    left, right = figure.axes
    assert (right.get_ylim(), right.get_xlim()) == ((0, 1), left.get_xlim())
    (line,) = right.get_lines()
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), qualities)
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert "expected mIoU (right)" in words
    assert ("low quality" in words) == any(low[: len(qualities)])
    assert (f"{sum(low[: len(qualities)])} of low quality" in left.get_title("left")) == any(low[: len(qualities)])


@given(st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1, max_size=300), st.sampled_from([2, 4, 16]))
def test_stretches_that_merge_keep_the_sum_of_the_known_qualities(qualities: list[float], limit: int) -> None:
    stretches = Stretches(limit)
    for i, quality in enumerate(qualities):
        stretches.add(Point(i * TENTH, 10.0, State.OK, False, quality=quality))
    known = [quality for quality in qualities if not math.isnan(quality)]
    assert sum(stretch.quality_frames for stretch in stretches) == len(known)
    assert sum(stretch.quality_sum for stretch in stretches) == pytest.approx(sum(known))

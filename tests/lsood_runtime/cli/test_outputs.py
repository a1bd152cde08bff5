# SPDX-License-Identifier: Apache-2.0
"""Pictures of drives, and where outputs may go, apart from where the frames come from."""

import math
import os
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lsood_runtime import MediaError, OoDMonitor, State
from lsood_runtime._cli.destinations import check_destinations
from lsood_runtime._cli.latency_histogram import LatencyHistogram
from lsood_runtime._cli.matplotlib_figure import check_picture
from lsood_runtime._cli.stretches import Point, Stretches
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.timeline import Timeline, alarm_spans


@given(st.lists(st.booleans(), max_size=30))
def test_alarm_spans_any_alarms_cover_them(alarms: list[bool]) -> None:
    spans = alarm_spans(alarms)
    covered = {i for start, end in spans for i in range(start, end + 1)}
    assert covered == {i for i, alarm in enumerate(alarms) if alarm}
    assert all(b[0] - a[1] > 1 for a, b in pairwise(spans))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1000)), min_size=1, max_size=40), st.integers(1, 5))
def test_thumbnails_any_drive_keep_the_highest_scores_apart(frames: list[tuple[int, int]], count: int) -> None:
    moments = Thumbnails(count)
    image = np.zeros((2, 2, 3), np.uint8)
    for tenths, score in frames:
        moments.add("a", tenths * 10**8, float(score), f"{tenths}:{score}", image)
    kept = [tuple(map(int, title.split(":"))) for title in moments.titles]
    assert kept[0][1] == max(score for _, score in frames)
    assert [score for _, score in kept] == sorted((score for _, score in kept), reverse=True)
    assert len(kept) <= count
    assert all(abs(a - b) >= 10 for i, (a, _) in enumerate(kept) for b, _ in kept[:i])


TIMELINES = (
    [Point(0, 1.0, State.OK, False)],
    [Point(i * 10**8, math.inf if i == 2 else 1e6 * i, list(State)[i % 4], i > 2) for i in range(9)],
    [Point(5, math.inf, State.INVALID, True)] * 2,
)


@pytest.mark.parametrize("points", TIMELINES)
def test_timeline_any_drive_is_drawn(toy_bundle: Path, tmp_path: Path, points: list[Point]) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        timeline = Timeline(monitor.threshold, monitor.manifest.calibration)
    for camera in ("front", "rear"):
        for point in points:
            timeline.add(camera, point)
    timeline.draw(tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as picture:
        assert picture.size[0] > 1000
    with pytest.raises(MediaError, match="cannot write the picture"):
        timeline.draw(tmp_path / "no" / "t.png")
    with pytest.raises(MediaError, match="at least one frame"):
        Timeline(1.0, monitor.manifest.calibration).draw(tmp_path / "t.png")


POINTS = st.builds(
    Point,
    stamp_ns=st.integers(0, 2**62),
    score=st.floats(-1e6, 1e6) | st.just(math.inf),
    state=st.sampled_from(State),
    alarm=st.booleans(),
)


@given(st.lists(POINTS, max_size=200), st.integers(1, 8).map(lambda half: 2 * half))
def test_stretches_of_any_drive_keep_extremes_states_and_alarms(points: list[Point], limit: int) -> None:
    stretches = Stretches(limit)
    for point in points:
        stretches.add(point)
    assert len(stretches) <= limit
    if len(points) <= limit:
        assert [stretch.frames for stretch in stretches] == [1] * len(points)
    start = 0
    for stretch in stretches:
        own = points[start : start + stretch.frames]
        start += stretch.frames
        assert (stretch.first_ns, stretch.last_ns) == (own[0].stamp_ns, own[-1].stamp_ns)
        assert stretch.alarm == any(point.alarm for point in own)
        assert stretch.ranges == {
            state: (
                min(point.score for point in own if point.state is state),
                max(point.score for point in own if point.state is state),
            )
            for state in {point.state for point in own}
        }
    assert start == len(points)
    assert len({stretch.frames for stretch in list(stretches)[:-1]}) <= 1


@given(st.lists(st.floats(1e-3, 1e7), min_size=1, max_size=99))
def test_latency_histogram_any_latencies_have_their_median(latencies: list[float]) -> None:
    histogram = LatencyHistogram()
    for latency in latencies:
        histogram.add(latency)
    assert histogram.median_ms == pytest.approx(median_low(latencies), rel=0.011)


def test_latency_histogram_of_nothing_is_zero() -> None:
    assert LatencyHistogram().median_ms == 0


def test_check_destinations_that_would_lose_a_file_are_refused(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    bag.mkdir()
    for name in ("drive.mcap", "bag/part.mcap", "old.csv"):
        (tmp_path / name).write_text("data")
    (tmp_path / "soft.mcap").symlink_to(tmp_path / "drive.mcap")
    os.link(tmp_path / "drive.mcap", tmp_path / "hard.mcap")
    (tmp_path / "folder.csv").mkdir()
    sources = [str(tmp_path / "drive.mcap"), str(bag), "camera:0"]
    good = [tmp_path / "old.csv", tmp_path / "new.mcap", bag / "scores.csv"]
    check_destinations(good, sources)
    for name in ("drive.mcap", "./drive.mcap", "bag/../drive.mcap", "soft.mcap", "hard.mcap", "bag/part.mcap"):
        with pytest.raises(MediaError, match=r"expected another file than those that are read, .* it would be lost"):
            check_destinations([*good, tmp_path / name], sources)
    for name in ("old.csv", "bag/../old.csv", "bag/../new.mcap"):
        with pytest.raises(MediaError, match=r"expected a file for each output, got .* twice"):
            check_destinations([*good, tmp_path / name], sources)
    with pytest.raises(MediaError, match=r"expected the folder .*no to exist; make it"):
        check_destinations([tmp_path / "no" / "x.csv"], sources)
    with pytest.raises(MediaError, match="expected a file or nothing there"):
        check_destinations([tmp_path / "folder.csv"], sources)


@pytest.mark.parametrize("name", ["t", "t.xyz", "t.csv", "png"])
def test_check_picture_of_an_unknown_suffix_is_refused(name: str) -> None:
    with pytest.raises(MediaError, match=r"expected a picture that ends in .*\.png.*, got"):
        check_picture(Path(name))
    check_picture(Path("t.PNG"))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "jpg"])
@pytest.mark.parametrize("camera", ["$", "$x_{1$", "a\\b", "^_%"])
def test_pictures_of_any_names_are_drawn(toy_bundle: Path, tmp_path: Path, camera: str, suffix: str) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        timeline, thumbnails = Timeline(monitor.threshold, monitor.manifest.calibration), Thumbnails(2)
    timeline.add(camera, Point(1, 1.0, State.OK, False))
    thumbnails.add(camera, 1, 1.0, camera, np.zeros((4, 4, 3), np.uint8))
    for picture in (timeline, thumbnails):
        picture.draw(tmp_path / f"picture.{suffix}")
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [f"picture.{suffix}"]

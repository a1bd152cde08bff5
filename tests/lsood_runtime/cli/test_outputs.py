# SPDX-License-Identifier: Apache-2.0
"""Where outputs may go, and what is counted of a run."""

import os
from pathlib import Path
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import MediaError
from lsood_runtime._cli.destinations import check_destinations
from lsood_runtime._cli.latency_histogram import LatencyHistogram
from lsood_runtime._cli.matplotlib_figure import check_picture


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

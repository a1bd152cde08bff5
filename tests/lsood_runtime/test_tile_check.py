# SPDX-License-Identifier: Apache-2.0
"""Faulty tiles in the verdicts of a monitor: frame by frame, in batches, in a copy of it, and switched off."""

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import Assessment, FrameError, LsoodError, Manifest, OoDMonitor, State, TileCheck, TileCheckError
from lsood_runtime._inference.picture_check import check_tile_size
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.large_bundle import half_dead, large_pictures, write_large_bundle

LEFT = np.repeat([[True] * 4 + [False] * 4], 4, axis=0)


@pytest.fixture
def large_bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    return write_large_bundle(folder)


def check_dead(verdict: Assessment, kind: str = "black") -> None:
    assert verdict.state is State.INVALID
    assert verdict.is_ood
    assert verdict.faulty_tiles is not None
    np.testing.assert_array_equal(verdict.faulty_tiles, LEFT)
    assert verdict.tile_faults == f"{kind}: left half (16 of 32 tiles)"
    assert verdict.reason.startswith(f"expected a live picture in every tile, got {kind}: left half (16 of 32 tiles): ")
    assert np.isfinite(verdict.score), "the graphs ran"


def test_assess_half_dead_frame_is_invalid_and_says_where(large_bundle: Path) -> None:
    (frame,) = large_pictures(1, 0)
    with OoDMonitor(large_bundle) as monitor:
        check_dead(monitor.assess(half_dead(frame)))
        check_dead(monitor.assess(half_dead(frame, 77)), "of one colour")
        sound = monitor.assess(frame)
        assert sound.state is not State.INVALID
        assert sound.faulty_tiles is not None
        assert (int(sound.faulty_tiles.sum()), sound.tile_faults) == (0, "")
        assert not sound.faulty_tiles.flags.writeable
        assert monitor.score(half_dead(frame)) == monitor.assess(half_dead(frame)).score


def test_assess_batch_judges_each_frame_as_it_is_judged_alone(large_bundle: Path) -> None:
    first, second, third = large_pictures(3, 1)
    frames = [first, half_dead(second), third[:-1], half_dead(third, 255)]
    with OoDMonitor(large_bundle) as monitor:
        verdicts = monitor.assess_batch(frames)
        for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
            for i in order:
                alone = monitor.assess(frames[i])
                assert (alone.state, alone.reason, alone.tile_faults) == (
                    verdicts[i].state,
                    verdicts[i].reason,
                    verdicts[i].tile_faults,
                )
    check_dead(verdicts[1])
    check_dead(verdicts[3], "saturated")
    assert verdicts[2].faulty_tiles is None


def test_assess_since_without_judging_tiles_reports_them_and_leaves_the_state(large_bundle: Path) -> None:
    (frame,) = large_pictures(1, 2)
    with OoDMonitor(large_bundle) as monitor:
        left_alone = monitor.assess_since(0.0, half_dead(frame), judge_tiles=False)
        assert left_alone.state is not State.INVALID
        assert left_alone.tile_faults == "black: left half (16 of 32 tiles)"
        black = monitor.assess_since(0.0, np.zeros_like(frame), judge_tiles=False)
        assert black.state is State.INVALID, "a frame that is black as a whole is judged all the same"
        assert black.tile_faults == "black: whole picture (32 of 32 tiles)"


def test_monitor_arguments_of_the_tiles_are_kept_by_a_copy(large_bundle: Path) -> None:
    (frame,) = large_pictures(1, 3)
    column = frame.copy()
    column[:, :16] = 77
    asked = TileCheck(rows=2, columns=8, share=0.1)
    with OoDMonitor(large_bundle, tile_check=asked) as strict, pickle.loads(pickle.dumps(strict)) as copy:
        for monitor in (strict, copy):
            verdict = monitor.assess(column)
            assert verdict.state is State.INVALID
            assert verdict.tile_faults == "of one colour: left column (2 of 16 tiles)"
            assert monitor.tile_check == asked
    with OoDMonitor(large_bundle) as usual:
        assert usual.assess(column).state is not State.INVALID


@pytest.mark.parametrize("options", [{"tile_check": None}, {"validate": False}])
def test_monitor_without_the_check_reports_no_tiles(large_bundle: Path, options: dict[str, bool | None]) -> None:
    (frame,) = large_pictures(1, 4)
    with OoDMonitor(large_bundle, **options) as monitor:  # type: ignore[arg-type]
        verdict = monitor.assess(half_dead(frame))
        assert verdict.state is not State.INVALID
        assert (verdict.faulty_tiles, verdict.tile_faults) == (None, "")
        assert verdict.asdict()["faulty_tiles"] == ""


def test_assessment_as_dict_has_the_tiles_as_digits(large_bundle: Path) -> None:
    (frame,) = large_pictures(1, 5)
    with OoDMonitor(large_bundle) as monitor:
        values = json.loads(json.dumps(monitor.assess(half_dead(frame)).asdict(), allow_nan=False))
        assert values["faulty_tiles"] == " ".join(["11110000"] * 4)
        assert values["tile_faults"] == "black: left half (16 of 32 tiles)"
        assert monitor.assess(frame).asdict()["faulty_tiles"] == " ".join(["00000000"] * 4)
        with pytest.raises(FrameError):
            monitor.score(frame[:-1])


def test_stream_of_a_monitor_waits_for_as_many_frames_as_its_check_says(large_bundle: Path) -> None:
    frames = [half_dead(frame) for frame in large_pictures(6, 6)]
    for in_a_row in (1, 3, 5):
        with OoDMonitor(large_bundle, tile_check=TileCheck(frames=in_a_row)) as monitor:
            stream = monitor.stream("3of5")
            results = [stream.assess(frame, stamp_ns=i * 10**8) for i, frame in enumerate(frames)]
        states = [result.verdict.state is State.INVALID for result in results]
        assert states == [i >= in_a_row - 1 for i in range(6)]
        assert stream.summary().faulty_tiles == 7 - in_a_row


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 16), st.integers(1, 16))
def test_tile_check_of_a_size_is_refused_with_a_grid_that_fits(
    height: int, width: int, rows: int, columns: int
) -> None:
    frames = replace(Manifest.from_json(text_with()).input, frame_height=height, frame_width=width)
    if min(height // rows, width // columns) >= 8:
        check_tile_size(TileCheck(rows=rows, columns=columns), frames)
        return
    with pytest.raises(TileCheckError, match=f"got {rows}x{columns} tiles of frames of {height}x{width} ") as caught:
        check_tile_size(TileCheck(rows=rows, columns=columns), frames)
    named = re.search(r"take (\d+)x(\d+) or fewer", str(caught.value))
    assert (named is None) == (min(height, width) < 8)
    if named is not None:
        most = [int(number) for number in named.groups()]
        check_tile_size(TileCheck(rows=most[0], columns=most[1]), frames)
        for each, size in zip(most, (height, width), strict=True):
            assert each == 16 or size // (each + 1) < 8, "the largest"


@pytest.mark.parametrize("asked", [TileCheck(rows=16, columns=16), TileCheck(share=0.5)])
def test_monitor_of_tiles_too_small_is_refused_and_the_default_left_out(toy_bundle: Path, asked: TileCheck) -> None:
    with pytest.raises(ValueError, match="expected tiles of at least 8x8 pixels") as caught:
        OoDMonitor(toy_bundle, tile_check=asked)
    assert isinstance(caught.value, LsoodError)
    with OoDMonitor(toy_bundle, tile_check=TileCheck()) as monitor:
        size = (monitor.manifest.input.frame_height, monitor.manifest.input.frame_width)
        assert monitor.assess(np.zeros((*size, 3), np.uint8)).faulty_tiles is None


def test_stream_half_that_is_dead_in_every_second_frame_is_named_behind_the_reason(large_bundle: Path) -> None:
    frames = [half_dead(frame) if i % 2 else frame for i, frame in enumerate(large_pictures(8, 7))]
    with OoDMonitor(large_bundle, deadline_ms=1e-9) as monitor:
        stream = monitor.stream("3of5")
        verdicts = [stream.assess(frame, stamp_ns=i * 10**8).verdict for i, frame in enumerate(frames)]
    for i, verdict in enumerate(verdicts):
        assert verdict.state in (State.LATE, State.OUT_OF_DISTRIBUTION), "no streak of three"
        assert verdict.reason.endswith("; black: left half (16 of 32 tiles)") == bool(i % 2)
        assert "the deadline is" in verdict.reason

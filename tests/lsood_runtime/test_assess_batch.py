# SPDX-License-Identifier: Apache-2.0
"""A batch is assessed as its frames are one by one, and a bad frame among them is INVALID by itself."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import FrameError, OoDMonitor, State
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, write_toy_bundle

BAD = [
    None,
    "frame.png",
    np.zeros((HEIGHT, WIDTH, 3), np.uint8),
    np.zeros((HEIGHT + 1, WIDTH, 3), np.uint8),
    np.full((HEIGHT, WIDTH, 3), 0.5),
    np.ma.masked_array(random_frames(1, 0)[0], mask=False),
]
"""No frames of the toy bundle, each in its own way; the third is one that is black."""


@settings(max_examples=20, deadline=None)
@given(
    kinds=st.lists(st.one_of(st.none(), st.integers(0, len(BAD) - 1)), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    fixed=st.booleans(),
)
def test_assess_batch_of_good_and_bad_frames_gives_each_its_own_verdict(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int | None], seed: int, fixed: bool
) -> None:
    folder, good = write_toy_bundle(tmp_path_factory.mktemp("batch")), random_frames(len(kinds), seed)
    frames = [good[i] if kind is None else BAD[kind] for i, kind in enumerate(kinds)]
    stamps = [1_000 * i for i in range(len(frames))]
    with OoDMonitor(folder) as single, OoDMonitor(folder, batch=len(frames) if fixed else None) as monitor:
        verdicts = monitor.assess_batch(frames, stamps_ns=stamps)
        assert len(verdicts) == len(frames)
        for frame, stamp, verdict in zip(frames, stamps, verdicts, strict=True):
            alone = single.assess(frame, stamp_ns=stamp)
            assert verdict.score == pytest.approx(alone.score, abs=1e-9)
            assert (verdict.state, verdict.is_ood, verdict.reason) == (alone.state, alone.is_ood, alone.reason)
            assert verdict.p_value == pytest.approx(alone.p_value, nan_ok=True)
            assert verdict.stamp_ns == stamp
            assert (verdict.segmentation is None) == (alone.segmentation is None)
            if alone.segmentation is not None:
                np.testing.assert_array_equal(verdict.segmentation, alone.segmentation)
            assert verdict.latency_ms > 0


def test_assess_batch_of_an_array_equals_that_of_a_list(toy_bundle: Path) -> None:
    frames = random_frames(3, 1)
    with OoDMonitor(toy_bundle) as monitor:
        of_array, of_list = monitor.assess_batch(frames), monitor.assess_batch(list(frames))
        assert [verdict.score for verdict in of_array] == [verdict.score for verdict in of_list]
        assert [verdict.score for verdict in of_array] == monitor.score_batch(frames).tolist()


def test_assess_batch_of_no_batch_or_with_other_stamps_is_refused(toy_bundle: Path) -> None:
    frames = random_frames(2, 1)
    with OoDMonitor(toy_bundle) as monitor:
        with pytest.raises(FrameError, match=r"This looks like one frame: pass frame\[None\]"):
            monitor.assess_batch(frames[0])
        empty: tuple[object, ...] = ([], frames[:0])
        for nothing in empty:
            with pytest.raises(FrameError, match="expected at least one frame, got none"):
                monitor.assess_batch(nothing)
        with pytest.raises(FrameError, match="an object of type str"):
            monitor.assess_batch("frames")
        with pytest.raises(ValueError, match="expected 2 stamps, one a frame, got 1"):
            monitor.assess_batch(frames, stamps_ns=[5])
        verdicts = monitor.assess_batch(frames, stamps_ns=[-1, None])
        assert verdicts[0].state is State.INVALID
        assert "got -1: the clock of the camera is wrong" in verdicts[0].reason
    with OoDMonitor(toy_bundle, batch=3) as monitor, pytest.raises(FrameError, match="expected 3 frames in every call"):
        monitor.assess_batch(frames)


def test_score_batch_of_one_frame_says_so(toy_bundle: Path) -> None:
    frame = random_frames(1, 1)[0]
    with OoDMonitor(toy_bundle) as monitor:
        with pytest.raises(FrameError, match=r"pass frame\[None\], or score it by itself\.$"):
            monitor.score_batch(frame)
        with pytest.raises(FrameError, match=r"score it by itself\. This looks like a channels-first frame"):
            monitor.score_batch(frame.transpose(2, 0, 1))
        with pytest.raises(FrameError, match="Rows and columns look swapped"):
            monitor.score_batch(frame.transpose(1, 0, 2)[None])

# SPDX-License-Identifier: Apache-2.0
"""States in place of exceptions, batches, worker processes, and what a caller may switch."""

import itertools
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lsood_runtime import FrameError, OoDMonitor, ProviderError, State
from lsood_runtime._verdict import VerdictRule
from tests.lsood_runtime.conftest import (
    HEIGHT,
    WIDTH,
    random_frames,
    score_by_hand,
    seal,
    toy_manifest,
    write_golden,
    write_toy_bundle,
)

SHAPE = (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (None, "an object of type NoneType"),
        (np.zeros((3, HEIGHT, WIDTH), np.float32), "channels-first tensor"),
        (np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8), "8 wide and 6 high"),
        (np.zeros(SHAPE, np.uint8), "black: 99% of the pixels are at 8 or below"),
        (np.full(SHAPE, 255, np.uint8), "saturated: 99% of the pixels are at 247 or above"),
        (np.full(SHAPE, 128, np.uint8), r"of one colour: 99% of the pixels are (128, 128, 128)"),
    ],
)
def test_assess_bad_frame_is_invalid_with_a_reason(toy_bundle: Path, frame: Any, reason: str) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(frame, stamp_ns=77)
    assert verdict.state is State.INVALID
    assert verdict.is_ood
    assert reason in verdict.reason
    assert reason in str(verdict)
    assert verdict.stamp_ns == 77
    assert verdict.provider == "CPUExecutionProvider"


def test_assess_frame_of_one_colour_keeps_score_and_segmentation(toy_bundle: Path) -> None:
    grey = np.full(SHAPE, 128, np.uint8)
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(grey)
        assert verdict.score == monitor.score(grey)
    assert 0 < verdict.p_value <= 1
    assert verdict.segmentation is not None


def test_monitor_without_validation_takes_frames_unchecked(toy_bundle: Path) -> None:
    grey, frame = np.full(SHAPE, 128, np.uint8), random_frames(1, 4)[0]
    with OoDMonitor(toy_bundle, validate=False) as trusting, OoDMonitor(toy_bundle) as careful:
        assert trusting.assess(grey).state is not State.INVALID
        assert trusting.score(frame) == careful.score(frame)
        assert trusting.score(torch.from_numpy(frame)) == careful.score(frame)
        with OoDMonitor(toy_bundle, validate=False, channels="bgr") as turned:
            assert turned.score(frame[..., ::-1]) == careful.score(frame)
            np.testing.assert_array_equal(turned.score_batch(frame[None, ..., ::-1]), careful.score_batch(frame[None]))
        with pytest.raises(ProviderError, match=r"failed while it ran segmentation\.onnx"):
            trusting.score(frame[:-1])


def test_state_gravity_late_never_hides_something_graver() -> None:
    assert [state.name for state in sorted(State, key=lambda state: state.gravity)] == [
        "OK",
        "LATE",
        "LOW_QUALITY",
        "OUT_OF_DISTRIBUTION",
        "INVALID",
    ]
    rule = VerdictRule(1.0, (0.0, 0.5), deadline_ms=10)
    for above, late, fault in itertools.product((False, True), repeat=3):
        verdict = rule.verdict(
            score=2.0 if above else 0.0,
            segmentation=None,
            fault="expected a frame" if fault else None,
            provider="cpu",
            latency_ms=11.0 if late else 9.0,
            stamp_ns=0,
        )
        applying = [State.OK]
        applying += [State.LATE] * late + [State.OUT_OF_DISTRIBUTION] * above + [State.INVALID] * fault
        assert verdict.state is applying[-1]
        assert (verdict.is_late, verdict.is_ood) == (late, above or fault)
        assert verdict.asdict()["is_late"] is late
        assert ("the deadline is 10 ms" in verdict.reason) == (late and not fault)
        assert ("the score is above 1" in verdict.reason) == (above and not fault)


def test_deadline_exceeded_changes_the_state_of_a_frame_below_the_threshold_alone(toy_bundle: Path) -> None:
    frames = [*random_frames(3, 5), np.tile(np.array([[250, 1, 1], [200, 30, 30]], np.uint8), (HEIGHT, WIDTH // 2, 1))]
    seen = set()
    with OoDMonitor(toy_bundle, deadline_ms=1e-6) as hurried, OoDMonitor(toy_bundle, deadline_ms=1e6) as patient:
        for frame in frames:
            late, usual = hurried.assess(frame), patient.assess(frame)
            assert (late.score, late.p_value, late.is_ood) == (usual.score, usual.p_value, usual.is_ood)
            assert late.state is (State.OUT_OF_DISTRIBUTION if usual.is_ood else State.LATE)
            assert (late.is_late, usual.is_late) == (True, False)
            seen.add(late.state)
            assert "the deadline is 1e-06 ms" in late.reason
            assert usual.state is (State.OUT_OF_DISTRIBUTION if usual.is_ood else State.OK)
            assert bool(usual.reason) == usual.is_ood
        assert len(seen) == 2, "frames of one kind would prove half"
        assert hurried.assess(None).state is State.INVALID, "a frame that is none is worse than a late one"
    for wrong in (0, -1, math.nan):
        with pytest.raises(ValueError, match="expected a deadline above 0 ms"):
            OoDMonitor(toy_bundle, deadline_ms=wrong)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 6), seed=st.integers(0, 1000))
def test_score_batch_any_size_gives_the_scores_of_its_frames(toy_bundle: Path, count: int, seed: int) -> None:
    frames = random_frames(count, seed)
    with OoDMonitor(toy_bundle) as monitor:
        scores = monitor.score_batch(frames)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, [score_by_hand(frame) for frame in frames], atol=1e-5)
        np.testing.assert_allclose(scores, [monitor.score(frame) for frame in frames], rtol=1e-6)
        np.testing.assert_array_equal(scores, monitor.score_batch(list(frames)))


def test_score_batch_with_a_black_frame_is_infinite_there_alone(toy_bundle: Path) -> None:
    frames = random_frames(3, 1)
    frames[1] = 0
    with OoDMonitor(toy_bundle) as monitor:
        scores = monitor.score_batch(frames)
    assert np.isinf(scores).tolist() == [False, True, False]


def test_monitor_with_a_fixed_batch_refuses_other_sizes(toy_bundle: Path) -> None:
    frames = random_frames(4, 1)
    with OoDMonitor(toy_bundle, batch=2) as pairs, OoDMonitor(toy_bundle, batch=1) as single:
        np.testing.assert_allclose(pairs.score_batch(frames[:2]), [single.score(f) for f in frames[:2]], rtol=1e-6)
        for wrong, words in (
            (lambda: pairs.score(frames[0]), "2 frames"),
            (lambda: pairs.score_batch(frames), "2 frames"),
            (lambda: single.score_batch(frames), "1 frame"),
        ):
            with pytest.raises(FrameError, match=f"expected {words} in every call, as batch="):
                wrong()
        assert pairs.self_test().passed
        assert pairs.warm_up(1) > 0
    with pytest.raises(ValueError, match="at least one frame in a batch, got 0"):
        OoDMonitor(toy_bundle, batch=0)


def test_monitor_with_other_channels_turns_frames(toy_bundle: Path) -> None:
    frame = random_frames(1, 9)[0]
    with OoDMonitor(toy_bundle, channels="bgr") as turned, OoDMonitor(toy_bundle) as usual:
        assert turned.score(frame[..., ::-1]) == usual.score(frame)
        np.testing.assert_array_equal(turned.score_batch(frame[None, ..., ::-1]), usual.score_batch(frame[None]))
        assert turned.self_test().passed, "golden frames are in the manifest's order"
    with pytest.raises(ValueError, match="expected channels rgb or bgr, got 'grb'"):
        OoDMonitor(toy_bundle, channels="grb")


@pytest.mark.parametrize("validate", [True, False])
def test_monitor_of_a_grey_camera_scores_three_equal_channels(toy_bundle: Path, validate: bool) -> None:
    colour = random_frames(2, 9)
    grey = np.ascontiguousarray(colour[..., 1])
    expected = np.repeat(grey[..., None], 3, axis=-1)
    with OoDMonitor(toy_bundle, channels="grey", validate=validate) as monitor, OoDMonitor(toy_bundle) as usual:
        scores = [usual.score(frame) for frame in expected]
        assert [monitor.score(frame) for frame in grey] == scores
        np.testing.assert_allclose(monitor.score_batch(grey[..., None]), scores)
        assert monitor.stream("3of5").assess(grey[0]).verdict.score == scores[0]
        assert monitor.self_test().passed
        assert monitor.warm_up(1) > 0
        assert pickle.loads(pickle.dumps(monitor)).score(grey[1]) == scores[1]
        if validate:
            assert monitor.assess(colour[0]).state is State.INVALID
            assert usual.assess(grey[0]).state is State.INVALID


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("channels", ["rgba", "bgra"])
def test_monitor_of_a_camera_of_four_channels_scores_the_first_three(
    toy_bundle: Path, channels: str, validate: bool
) -> None:
    rgb = random_frames(2, 9)
    turned = rgb if channels == "rgba" else rgb[..., ::-1]
    four = np.concatenate([turned, random_frames(2, 5)[..., :1]], axis=-1)
    with OoDMonitor(toy_bundle, channels=channels, validate=validate) as monitor, OoDMonitor(toy_bundle) as usual:
        scores = [usual.score(frame) for frame in rgb]
        assert [monitor.score(frame) for frame in four] == scores
        np.testing.assert_allclose(monitor.score_batch(four), scores)
        assert monitor.stream("3of5").assess(four[0]).verdict.score == scores[0]
        assert monitor.self_test().passed
        if validate:
            assert monitor.assess(rgb[0]).state is State.INVALID
            assert usual.assess(four[0]).state is State.INVALID


def test_session_options_given_reach_both_graphs(toy_bundle: Path) -> None:
    seen: list[str] = []

    def configure(options: ort.SessionOptions) -> None:
        seen.append(options.get_session_config_entry("session.intra_op.allow_spinning"))
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1

    frame = random_frames(1, 2)[0]
    with OoDMonitor(toy_bundle, session_options=configure) as monitor, OoDMonitor(toy_bundle) as usual:
        assert monitor.score(frame) == pytest.approx(usual.score(frame), rel=1e-6)
        way: Any = monitor._scorer.graphs.frame_pass
        level = way._network.session.get_session_options().graph_optimization_level
    assert seen == ["0", "0"], "no thread spins beside the rest of the stack"
    assert level == ort.GraphOptimizationLevel.ORT_DISABLE_ALL


def score_in_worker(monitor: OoDMonitor, frame: Any) -> float:
    return monitor.score(frame)


def test_monitor_pickled_opens_again_from_its_path(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frame = random_frames(1, 3)[0]
    monkeypatch.chdir(toy_bundle.parent)
    with OoDMonitor(toy_bundle.name, operating_point="half", deadline_ms=1e6, channels="bgr") as monitor:
        monkeypatch.chdir(tmp_path)
        contents = pickle.dumps(monitor)
        assert len(contents) < 1000, "a path and arguments, not graphs"
        copy = pickle.loads(contents)
        assert copy is not monitor
        assert (copy.operating_point, copy.score(frame)) == ("half", monitor.score(frame))
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            elsewhere = [pool.submit(score_in_worker, monitor, frame) for _ in range(2)]
            assert [future.result() for future in elsewhere] == [monitor.score(frame)] * 2


def test_self_test_one_score_off_reports_the_errors(toy_bundle: Path) -> None:
    frames = random_frames(2, seed=2)
    expected = [score_by_hand(frames[0]), score_by_hand(frames[1]) + 2e-4]
    write_golden(toy_bundle, frames, expected)
    with OoDMonitor(seal(toy_bundle, toy_manifest()), self_test=False) as monitor:
        result = monitor.self_test()
    assert not result.passed
    assert result.errors[0] < 1e-5
    assert result.errors[1] == pytest.approx(2e-4, abs=1e-5)
    assert (result.expected, result.tolerance) == (tuple(expected), 1e-4)
    assert set(result.placement) == {"CPUExecutionProvider"}
    assert result.placement["CPUExecutionProvider"] >= 5


def test_warm_up_any_rounds_returns_milliseconds(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        assert monitor.warm_up() > 0
        with pytest.raises(ValueError, match="at least one round"):
            monitor.warm_up(0)


ANY_ARRAY = st.one_of(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
    ),
    hnp.arrays(np.uint8, st.just((2 * HEIGHT, 2 * WIDTH, 4)), fill=st.integers(0, 255)).flatmap(
        lambda a: st.sampled_from(
            [
                a[:HEIGHT, :WIDTH, :3],
                a[::2, ::2, :3],
                a[::-2, ::-2, 2::-1],
                a[:HEIGHT, :WIDTH, 1:],
                a[:WIDTH, :HEIGHT, :3].transpose(1, 0, 2),
                np.broadcast_to(a[:1, :1, :3], SHAPE),
                np.asfortranarray(a[:HEIGHT, :WIDTH, :3]),
                a[:HEIGHT, :WIDTH, :3].astype(">u2"),
                a[:HEIGHT, :WIDTH, :3].view(np.int8),
                np.ma.masked_array(a[:HEIGHT, :WIDTH, :3], a[:HEIGHT, :WIDTH, :3] > 100),
            ]
        )
    ),
    st.none() | st.binary(max_size=8) | st.text(max_size=8) | st.lists(st.integers(0, 255), max_size=4) | st.floats(),
)


@pytest.fixture(scope="module")
def open_toy(tmp_path_factory: pytest.TempPathFactory) -> OoDMonitor:
    return OoDMonitor(write_toy_bundle(tmp_path_factory.mktemp("monitor")))


@settings(max_examples=1000, deadline=None)
@given(frame=ANY_ARRAY)
def test_assess_fuzzed_frames_give_a_state_or_our_own_error(open_toy: OoDMonitor, frame: Any) -> None:
    verdict = open_toy.assess(frame)
    masked = isinstance(frame, np.ma.MaskedArray)
    if isinstance(frame, np.ndarray) and not masked and frame.shape == SHAPE and frame.dtype == np.uint8:
        assert verdict.score == open_toy.score(frame)
        assert not math.isnan(verdict.score)
        assert open_toy.score_batch([frame, frame]).shape == (2,)
    else:
        assert verdict.state is State.INVALID
        assert "\n" not in verdict.reason
        with pytest.raises(FrameError) as caught:
            open_toy.score(frame)
        assert verdict.reason == str(caught.value)
        with pytest.raises(FrameError):
            open_toy.score_batch([frame, frame])
    with pytest.raises(FrameError):
        open_toy.score_batch(frame)

# SPDX-License-Identifier: Apache-2.0
"""The state LOW_QUALITY: the lower end of the expected quality below the smallest one that was asked for."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lsood_runtime import BundleError, KOfN, Manifest, OoDMonitor, State
from lsood_runtime._bundle.answers_records import QualityRecord
from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import answers_by_hand, answers_record, frame_of_level, write_answers_bundle


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder)


def _record(lows: list[float]) -> QualityRecord:
    values = answers_record()["quality"] | {"clean_low": tuple(lows)}
    return QualityRecord(**values)


@pytest.mark.parametrize("smallest", [0.05, 0.3, 0.375, 0.45, 1.0])
def test_assess_with_a_smallest_quality_is_low_where_the_lower_end_is_below_it(answered: Path, smallest: float) -> None:
    seen = set()
    with OoDMonitor(answered, min_quality=smallest) as monitor, OoDMonitor(answered) as plain:
        for seed, level in enumerate(np.linspace(0.1, 0.9, 17)):
            frame = frame_of_level(level, seed)
            verdict, without = monitor.assess(frame), plain.assess(frame)
            rows = answers_by_hand(frame)
            known = bool(rows["novelty"] <= 1.5)
            low = not known or rows["quality"][1] < smallest
            expected = without.state
            if low and expected in (State.OK, State.LATE):
                expected = State.LOW_QUALITY
            assert verdict.state is expected
            assert verdict.is_ood == without.is_ood
            if verdict.state is State.LOW_QUALITY:
                assert f"{smallest:g}" in verdict.reason
                assert (f"{verdict.quality_low:.3g}" if known else "unknown, at most 0.38") in verdict.reason
                assert "expected mIoU" in verdict.reason
            seen.add(verdict.state)
    assert State.LOW_QUALITY in seen


def test_assess_with_a_smallest_quality_tells_the_gravest_state(answered: Path) -> None:
    order = [State.OK, State.LATE, State.LOW_QUALITY, State.OUT_OF_DISTRIBUTION, State.INVALID]
    assert sorted(State, key=lambda state: state.gravity) == order
    with OoDMonitor(answered, min_quality=1.0, deadline_ms=1e-9) as monitor:
        verdict = monitor.assess(frame_of_level(0.5))
        assert (verdict.state, verdict.is_late) == (State.LOW_QUALITY, True)
        assert monitor.assess(None).state is State.INVALID


def test_stream_policy_that_counts_frames_counts_those_of_low_quality(answered: Path) -> None:
    with OoDMonitor(answered, min_quality=1.0) as monitor:
        stream = monitor.stream(KOfN(2, 3), frozen_after_s=None)
        frames = [frame_of_level(0.5, seed) for seed in range(3)]
        results = [stream.assess(frame, stamp_ns=i * 10**8) for i, frame in enumerate(frames)]
    assert [result.verdict.state for result in results] == [State.LOW_QUALITY] * 3
    assert [result.alarm for result in results] == [False, True, True]


@pytest.mark.parametrize(
    ("smallest", "error"), [(0.0, ValueError), (1.5, ValueError), (math.nan, ValueError), ("0.4", TypeError)]
)
def test_monitor_with_a_smallest_quality_that_cannot_be_is_refused(
    answered: Path, smallest: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="min_quality above 0 and at most 1"):
        OoDMonitor(answered, min_quality=smallest)


def test_monitor_of_a_bundle_without_quality_refuses_a_smallest_one(toy_bundle: Path, tmp_path: Path) -> None:
    (cause := tmp_path / "cause").mkdir()
    for bundle in (toy_bundle, write_answers_bundle(cause, quality=False)):
        with pytest.raises(BundleError, match=r"tells the quality of its segmentation with min_quality 0\.4"):
            OoDMonitor(bundle, min_quality=0.4)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60).map(sorted),
    st.floats(0.001, 1),
    st.floats(0.001, 0.999),
)
def test_quality_record_rate_of_any_lower_ends_is_that_of_the_conformal_rule(
    lows: list[float], smallest: float, rate: float
) -> None:
    record = _record(lows)
    assert record.false_alarm_rate(smallest) == (1 + sum(low < smallest for low in lows)) / (len(lows) + 1)
    chosen = record.min_quality(rate)
    if chosen is None:
        assert rate * (len(lows) + 1) < 1
    else:
        assert sum(low < chosen for low in lows) + 1 <= rate * (len(lows) + 1) + 1e-6
        above = [low for low in lows if low > chosen]
        if above:
            assert sum(low < above[0] for low in lows) + 1 > rate * (len(lows) + 1) - 1e-6


def test_score_and_watch_with_a_smallest_quality_count_and_alarm(
    answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drive := tmp_path / "drive").mkdir()
    for place in range(4):
        Image.fromarray(frame_of_level(0.45, seed=place)).save(drive / f"{place}.png")
    assert run(["score", str(answered), str(drive)]) == 0
    capsys.readouterr()
    assert run(["score", str(answered), str(drive), "--min-quality", "0.9"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("LOW QUALITY") == 4
    assert "4 of low quality" in shown.err
    timeline = tmp_path / "timeline.png"
    code = run(
        ["watch", str(answered), str(drive), "--alarm", "2of3", "--min-quality", "0.9", "--timeline", str(timeline)]
    )
    assert code == 1
    rate = Manifest.from_json((answered / "manifest.json").read_bytes()).answers
    assert rate is not None
    assert rate.quality is not None
    assert f"at most {rate.quality.false_alarm_rate(0.9):.1%} of clean frames" in capsys.readouterr().err
    assert timeline.stat().st_size > 0

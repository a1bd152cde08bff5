# SPDX-License-Identifier: Apache-2.0
"""The expected quality of a stream: an alarm of its own where it falls, rare where it does not, and never lost by a clock."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.anomalies import Bytes, rising
from lsood_runtime import Assessment, BundleError, Evidence, KOfN, Manifest, OoDMonitor, QualityAlarm
from lsood_runtime._bundle.answers_records import AnswersRecord, QualityRecord
from lsood_runtime._inference.picture_check import NOT_LOOKED_AT, PictureCheck
from lsood_runtime._stream.calibration_figures import p_value
from lsood_runtime._stream.false_alarms import expected_false_alarms
from lsood_runtime._stream.quality_drift import QualityDrift, quality_manifest
from lsood_runtime._stream.stream import Stream
from tests.lsood_runtime.answers_bundle import answers_by_hand, answers_record, frame_of_level, write_answers_bundle
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor, score_frame

SECOND = 1_000_000_000


def manifest_of(lows: Sequence[float], together: float = 1.0) -> Manifest:
    """A manifest whose clean frames have these lower ends, and of whose frames so many in a row are worth one."""
    manifest = Manifest.from_json(text_with())
    quality = QualityRecord("miou", 0.9, 0.9, "fog", 0.8, 0.2, 0.6, 0.05, 0.1, 0.8, 0.9, tuple(sorted(lows)))
    calibration = replace(manifest.calibration, effective_frames=len(manifest.calibration.scores) / together)
    answers = AnswersRecord(1.0, ("fog", "mud"), 10, 2, 40, quality, None)
    return replace(manifest, answers=answers, calibration=calibration)


class QualityMonitor(ScriptedMonitor):
    """Gives each frame the lower end of its quality that the frame holds; NaN for one that is unknown."""

    def _verdict(
        self, score: float, fault: str | None, stamp_ns: int | None, picture: PictureCheck = NOT_LOOKED_AT
    ) -> Assessment:
        verdict = super()._verdict(0.0 if fault is None else score, fault, stamp_ns, picture)
        unknown = fault is not None or math.isnan(score)
        low, expected, high = (math.nan,) * 3 if unknown else (score, (1 + score) / 2, 1.0)
        return dataclasses.replace(
            verdict, quality_measure="miou", expected_quality=expected, quality_low=low, quality_high=high
        )


def watch(manifest: Manifest, policy: str, lows: Sequence[float], interval_ns: int = SECOND // 10) -> list[bool]:
    """Alarms by the quality of frames with these lower ends; the score never raises one."""
    point = manifest.operating_point
    stream = Stream(
        QualityMonitor(manifest), KOfN(3, 5), quality=QualityDrift(policy, manifest, point), frozen_after_s=None
    )
    results = [stream.assess(score_frame(low, i), stamp_ns=i * interval_ns) for i, low in enumerate(lows)]
    assert not any(result.alarm for result in results)
    assert stream.summary().alarms == 0
    assert stream.summary().quality_alarms == sum(r.quality is not None and r.quality.onset for r in results)
    return [result.quality is not None and result.quality.alarm for result in results]


def drawn_lows(
    rng: np.random.Generator, count: int, together: float = 1.0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Lower ends of clean frames, of which neighbours resemble each other."""
    rho, values = (together - 1) / (together + 1), rng.normal(size=count)
    for i in range(1, count):
        values[i] = rho * values[i - 1] + math.sqrt(1 - rho**2) * values[i]
    return np.clip(0.6 + 0.08 * values, 0, 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_p_value_of_a_quality_is_the_share_of_clean_frames_that_may_be_as_low(lows: list[float], low: float) -> None:
    manifest = manifest_of(lows)
    by_hand = (1 + sum(other <= low for other in lows)) / (len(lows) + 1)
    assert p_value(quality_manifest(manifest).calibration, -low) == pytest.approx(by_hand)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_low_qualities_of_policies_that_count_frames_are_as_rare_among_clean_ones_as_high_scores(
    lows: list[float], low: float
) -> None:
    manifest = manifest_of(lows)
    drift = QualityDrift(KOfN(1, 1), manifest, manifest.operating_point)
    verdict = QualityMonitor(manifest).assess_since(1.0, score_frame(low), stamp_ns=1)
    counts = (1 + sum(other <= low for other in lows)) / (len(lows) + 1) <= manifest.threshold.false_alarm_rate + 1e-9
    assert drift.evidence(verdict, 0).is_ood == counts


@pytest.mark.parametrize("policy", ["cusum:1h@10", "hysteresis:0.02:0.3", "6of9", "1/h@10"])
@pytest.mark.parametrize("fall", ["creeping", "sudden", "unknown"])
def test_stream_of_a_quality_that_falls_raises_its_alarm_and_not_before(policy: str, fall: str) -> None:
    rng = np.random.default_rng(4)
    manifest = manifest_of(drawn_lows(rng, 200).tolist())
    clean, steps = np.full(100, 0.6), np.linspace(0.6, 0.05, 300)
    after = {"creeping": steps, "sudden": np.full(300, 0.1), "unknown": np.full(300, math.nan)}[fall]
    alarms = watch(manifest, policy, [*clean, *after, *np.full(600, 0.9)])
    assert not any(alarms[:100])
    assert alarms[399]
    assert not alarms[-1]


@pytest.mark.parametrize("together", [1.0, 8.0])
def test_quality_alarms_of_clean_frames_keep_the_rate_that_the_simulation_states(together: float) -> None:
    policy, hours, kept = KOfN(6, 9), 0.2, 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        manifest = manifest_of(drawn_lows(rng, 240, together).tolist(), together)
        known = quality_manifest(manifest)
        scores, threshold = np.array(known.calibration.scores), known.threshold.value
        state, lows, before, onsets = policy.start(known.calibration), drawn_lows(rng, 7_200, together), False, 0
        for i, low in enumerate(lows.tolist()):
            share = (1 + np.count_nonzero(scores >= -low)) / (len(scores) + 1) if -low > threshold else 1.0
            alarm = state.update(Evidence(-low > threshold, float(share), i * SECOND // 10))
            onsets += alarm and not before
            before = alarm
        stated = expected_false_alarms(policy, known, frames_per_second=10, frames=50_000)
        kept += onsets / hours <= stated.high
    assert kept >= 7


def test_stream_of_clean_frames_raises_no_quality_alarm_by_cusum() -> None:
    rng = np.random.default_rng(9)
    manifest = manifest_of(drawn_lows(rng, 240).tolist())
    assert not any(watch(manifest, "cusum:1h@10", drawn_lows(rng, 2000).tolist()))


@pytest.mark.parametrize("policy", ["cusum:1h@10", "6of9"])
def test_quality_alarm_stands_over_a_gap_and_ends_by_clean_frames(policy: str) -> None:
    manifest = manifest_of(drawn_lows(np.random.default_rng(4), 200).tolist())
    drift = QualityDrift(policy, manifest, manifest.operating_point)
    stream = Stream(QualityMonitor(manifest), KOfN(3, 5), quality=drift, frozen_after_s=None)

    def last(low: float, count: int, start_s: int) -> QualityAlarm | None:
        found = None
        for i in range(count):
            found = stream.assess(score_frame(low, i), stamp_ns=start_s * SECOND + i * SECOND // 10).quality
        return found

    for low, count, start_s, expected in ((0.7, 50, 0, False), (0.05, 60, 5, True), (0.7, 1, 40_000, True)):
        result = last(low, count, start_s)
        assert result is not None
        assert result.alarm == expected
    since = stream.assess(score_frame(0.05, 999), stamp_ns=40_001 * SECOND).quality
    assert since is not None
    assert since.since_ns is not None
    assert since.since_ns < 11 * SECOND
    result = last(0.95, 900, 40_002)
    assert result is not None
    assert not result.alarm
    assert stream.summary().quality_alarms == 1


def test_stream_without_a_quality_policy_tells_nothing_of_it() -> None:
    manifest = manifest_of([0.5, 0.6])
    result = Stream(QualityMonitor(manifest), KOfN(3, 5)).assess(score_frame(0.1), stamp_ns=SECOND)
    assert result.quality is None
    assert not [name for name in result.asdict() if name.startswith("quality_a")]


def test_quality_manifest_of_a_bundle_that_tells_none_is_refused() -> None:
    with pytest.raises(BundleError, match="expected a bundle that tells the quality of its segmentation to watch it"):
        quality_manifest(Manifest.from_json(text_with()))


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A toy bundle whose clean frames are those of :func:`clean_frames`."""
    record = answers_record()
    record["quality"]["clean_low"] = sorted(float(answers_by_hand(f)["quality"][1]) for f in clean_frames(90, 1))
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder, answers=record)


def clean_frames(count: int, seed: int) -> list[Bytes]:
    """Noise around one brightness."""
    return [frame_of_level(0.55, seed * 1000 + i) for i in range(count)]


CREEPING = ("dusk", "night", "mud", "under_exposure", ("dusk", "mud"), ("fog", "dusk"), ("night", "sensor_noise"))


@pytest.mark.parametrize(("policy", "kinds"), [*(("cusum:1h@1", kinds) for kinds in CREEPING), ("6of9", "mud")])
def test_stream_of_a_degradation_that_creeps_in_raises_the_quality_alarm_before_it_is_at_its_worst(
    policy: str, kinds: str | tuple[str, ...], camera: Path
) -> None:
    clean, later = clean_frames(60, 2), clean_frames(120, 3)
    frames = [*clean, *(moment.frame for moment in rising(later, kinds, 5))]
    with OoDMonitor(camera) as monitor:
        stream = monitor.stream("3of5", quality_policy=policy)
        results = [stream.assess(frame, stamp_ns=i * SECOND) for i, frame in enumerate(frames)]
    alarms = [result.quality is not None and result.quality.alarm for result in results]
    assert not any(alarms[:60])
    assert any(alarms[:170])
    assert alarms[-1]
    onset = alarms.index(True)
    row = results[onset].asdict()
    assert (row["quality_alarm"], row["quality_onset"], row["quality_since_ns"]) == (True, True, onset * SECOND)
    assert "quality ALARM" in str(results[onset])

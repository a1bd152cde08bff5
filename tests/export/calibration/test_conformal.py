# SPDX-License-Identifier: Apache-2.0
"""Thresholds: their value, their guarantee over many simulated calibrations, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, norm

from export.calibration.conformal import (
    conformal_threshold,
    drive_threshold,
    new_drive_rate,
    p_values,
    set_threshold,
)
from export.calibration.drive_warning import drive_warning
from export.calibration.options import CalibrationOptions
from export.cli.calibrate import main as calibrate_command
from export.cli.export import main as export_command
from export.errors import CalibrationError, UsageError


def video(rng: np.random.Generator, count: int, correlation: float) -> NDArray[np.float64]:
    """A stationary AR(1) sequence of standard normal scores."""
    values = np.empty(count)
    values[0] = rng.normal()
    steps = rng.normal(scale=math.sqrt(1 - correlation**2), size=count)
    for i in range(1, count):
        values[i] = correlation * values[i - 1] + steps[i]
    return values


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5]), st.integers(0, 2**32 - 1))
def test_conformal_threshold_of_any_scores_is_the_smallest_that_holds_the_rate(
    count: int, rate: float, seed: int
) -> None:
    scores = np.random.default_rng(seed).normal(size=count)
    if round((count + 1) * rate, 9) < 1:
        with pytest.raises(CalibrationError, match=f"got {count}"):
            conformal_threshold(scores, rate)
        return
    threshold = conformal_threshold(scores, rate)
    exceeding = (scores > threshold).sum()
    assert threshold in scores
    assert exceeding <= rate * (count + 1) + 1e-9  # the guarantee, in counts
    lower = np.sort(scores)[np.flatnonzero(np.sort(scores) == threshold)[0] - 1]
    if lower < threshold:
        assert (scores > lower).sum() + 1 > rate * (count + 1) - 1e-9  # and no smaller score would hold it


def test_conformal_threshold_over_many_calibrations_holds_the_rate_on_average() -> None:
    rng = np.random.default_rng(0)
    rates = np.array([1 - norm.cdf(conformal_threshold(rng.normal(size=59), 0.05)) for _ in range(4000)])
    assert rates.mean() <= 0.05 + 3 * rates.std() / np.sqrt(len(rates))
    assert rates.mean() > 0.045  # 3 of 60 places lie above the threshold: the bound is met, not undercut


def test_conformal_threshold_of_too_few_frames_states_the_number_that_suffices() -> None:
    with pytest.raises(CalibrationError, match="at least 19 frames"):
        conformal_threshold(np.arange(18.0), 0.05)
    assert conformal_threshold(np.arange(19.0), 0.05) == 18


@pytest.mark.parametrize(("correlation", "count"), [(0.0, 60), (0.0, 200), (0.5, 200), (0.8, 400)])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_set_threshold_interval_covers_the_true_rate(correlation: float, count: int, rate: float) -> None:
    """The rate of the very threshold, known in a simulation, lies in its 95 % interval in about 95 % of calibrations."""
    rng = np.random.default_rng(1)
    inside, widths, true = [], [], []
    for _ in range(400):
        scores = video(rng, count, correlation)
        point = set_threshold(scores, ["x"] * count, rate)
        true.append(1 - norm.cdf(point.value))
        inside.append(point.rate_low <= true[-1] <= point.rate_high)
        widths.append(point.rate_high - point.rate_low)
    misses = len(inside) - sum(inside)
    assert misses <= binom.ppf(0.999, len(inside), 0.05 if correlation == 0 else 0.1)
    assert np.mean(true) <= rate + 3 * np.std(true) / np.sqrt(len(true)) + 0.01
    assert np.mean(widths) < 0.25


def test_set_threshold_of_correlated_frames_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    width = {}
    for correlation in (0.0, 0.9):
        points = [set_threshold(video(rng, 300, correlation), ["x"] * 300, 0.1) for _ in range(30)]
        width[correlation] = np.mean([point.rate_high - point.rate_low for point in points])
    assert width[0.9] > 1.7 * width[0.0]


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 8), st.integers(1, 20), st.floats(0.15, 0.9), st.integers(0, 2**32 - 1))
def test_drive_threshold_of_any_scores_equals_trying_every_score(
    groups: int, size: int, rate: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    drives = rng.permutation(np.r_[np.arange(groups), rng.integers(groups, size=size)]).astype(str).tolist()
    scores = rng.normal(size=len(drives)).round(1)
    names = np.array(drives)

    def promised(threshold: float) -> float:
        return float(1 + sum((scores[names == name] > threshold).mean() for name in set(drives))) / (groups + 1)

    holding = [score for score in scores if promised(score) <= rate + 1e-12]
    if not holding or groups < max(2, math.ceil(round(1 / rate, 9)) - 1):
        with pytest.raises(CalibrationError, match=r"at least \d+ drives"):
            drive_threshold(scores, drives, rate)
        return
    assert drive_threshold(scores, drives, rate) == min(holding)
    assert new_drive_rate(scores, drives, min(holding)) == pytest.approx(promised(min(holding)))


def test_set_threshold_by_frames_of_few_drives_exceeds_the_rate_on_new_ones() -> None:
    """Why the frames' threshold makes no promise for new drives."""
    rng = np.random.default_rng(3)
    flagged = []
    for _ in range(300):
        levels = rng.normal(scale=2, size=3)
        scores = np.repeat(levels[:2], 40) + rng.normal(size=80)
        point = set_threshold(scores, ["a"] * 40 + ["b"] * 40, 0.1)
        flagged.append((levels[2] + rng.normal(size=200) > point.value).mean())
        assert point.new_drive_rate is not None
        assert point.new_drive_rate > 1 / 3
    assert np.mean(flagged) - 3 * np.std(flagged) / np.sqrt(300) > 0.1


def test_set_threshold_by_drives_that_differ_holds_the_rate_on_new_ones() -> None:
    """Drives with a level of their own: the drives' threshold holds on new ones, and is the higher one."""
    rng = np.random.default_rng(3)
    flagged = {"frames": [], "drives": []}  # type: ignore[var-annotated]
    for _ in range(400):
        levels = rng.normal(scale=2, size=10)
        drives = np.repeat(np.arange(9), 12).astype(str).tolist()
        scores = np.repeat(levels[:9], 12) + rng.normal(size=108)
        new = levels[9] + rng.normal(size=200)
        for guarantee, shares in flagged.items():
            point = set_threshold(scores, drives, 0.1, guarantee=guarantee)
            shares.append((new > point.value).mean())
    error = 3 * np.std(flagged["drives"]) / np.sqrt(400)
    assert np.mean(flagged["drives"]) <= 0.1 + error
    assert np.mean(flagged["frames"]) > np.mean(flagged["drives"])


def test_set_threshold_of_a_single_drive_promises_nothing_about_new_ones() -> None:
    scores = np.random.default_rng(0).normal(size=100)
    assert set_threshold(scores, ["x"] * 100, 0.1).new_drive_rate is None
    with pytest.raises(CalibrationError, match=r"at least 9 drives .* got 1: add 8"):
        set_threshold(scores, ["x"] * 100, 0.1, guarantee="drives")
    two = set_threshold(scores, ["x", "y"] * 50, 0.1).new_drive_rate
    assert two is not None
    assert two >= 1 / 3


def test_set_threshold_of_scores_that_are_not_finite_is_refused() -> None:
    with pytest.raises(CalibrationError, match="finite"):
        set_threshold(np.r_[np.arange(30.0), np.nan], ["x"] * 31, 0.1)


def test_p_values_of_any_scores_equal_counting() -> None:
    rng = np.random.default_rng(0)
    calibration, scores = rng.integers(0, 9, 40).astype(float), rng.integers(-1, 10, 25).astype(float)
    expected = [(1 + sum(other >= score for other in calibration)) / 41 for score in scores]
    np.testing.assert_allclose(p_values(calibration, scores), expected)


def test_drive_warning_of_drives_that_differ_names_the_worst_pair() -> None:
    rng = np.random.default_rng(4)
    drives = ["a"] * 100 + ["b"] * 100 + ["c"] * 100
    level = rng.normal(size=300)
    raised = sum(drive_warning(rng.normal(size=300), drives, 0.05) is not None for _ in range(100))
    assert raised <= 8
    level[200:] += 3
    warning = drive_warning(level, drives, 0.05)
    assert warning is not None
    assert "of drive c" in warning
    assert drive_warning(level[:5], drives[:5], 0.05) is None, "too few frames to set a threshold by"


def test_drive_warning_of_many_small_drives_that_are_alike_is_rare() -> None:
    rng = np.random.default_rng(5)
    drives = ["long"] * 40 + [f"{i}" for i in range(60) for _ in range(2)]
    raised = sum(drive_warning(rng.normal(size=len(drives)), drives, 0.05) is not None for _ in range(100))
    assert raised <= 5


OUTSIDE = [-1.0, 0.0, 1.0, 1.5, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("rate", OUTSIDE)
@pytest.mark.parametrize("guarantee", ["frames", "drives"])
def test_thresholds_of_a_rate_outside_the_unit_interval_are_refused(rate: float, guarantee: str) -> None:
    scores, drives = np.arange(40.0), ["a", "b"] * 20
    for threshold in (
        lambda: set_threshold(scores, drives, rate, guarantee=guarantee),
        lambda: conformal_threshold(scores, rate),
        lambda: drive_threshold(scores, drives, rate),
        lambda: drive_warning(scores, drives, rate),
    ):
        with pytest.raises(CalibrationError, match="false-alarm rate above 0 and below 1"):
            threshold()


@pytest.mark.parametrize("rate", OUTSIDE)
def test_calibration_options_of_a_rate_outside_the_unit_interval_are_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=f"above 0 and below 1, got strict={rate}"):
        CalibrationOptions(rates={"5%": 0.05, "strict": rate})


def test_calibration_options_without_a_rate_are_refused() -> None:
    with pytest.raises(UsageError, match="got none"):
        CalibrationOptions(rates={})


@pytest.mark.parametrize("rate", ["-1", "0", "1", "nan", "inf", "strict=-1", "strict=0"])
@pytest.mark.parametrize("from_file", [False, True], ids=["flag", "file"])
def test_commands_refuse_a_rate_outside_the_unit_interval(
    rate: str, from_file: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "export.yaml").write_text(f"false-alarm-rate: {rate}\n")
    flags = ["--config", str(tmp_path / "export.yaml")] if from_file else ["--false-alarm-rate", rate]
    assert export_command(["--ckpt", "no.ckpt", "--frames", str(tmp_path), "--out", str(tmp_path / "out"), *flags]) == 2
    assert "expected a false-alarm rate between 0 and 1" in capsys.readouterr().err
    assert calibrate_command([str(tmp_path), "--frames", str(tmp_path), "--false-alarm-rate", rate]) == 2
    assert "expected a false-alarm rate between 0 and 1" in capsys.readouterr().err

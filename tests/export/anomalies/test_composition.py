# SPDX-License-Identifier: Apache-2.0
"""Several degradations at once, and sequences over which they rise."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.anomalies import KINDS, Bytes, composed, degrade, degrade_with_mask, draw_pair, kinds_in, rising
from export.data.synthetic import render_scene
from export.errors import UsageError

LOCAL = sorted(name for name, kind in KINDS.items() if kind.local)
LASTING = sorted(name for name, kind in KINDS.items() if kind.lasting)


def scene(seed: int, height: int = 70, width: int = 140) -> Bytes:
    return render_scene(np.random.default_rng(seed), height, width)[0]


def error(degraded: Bytes, frame: Bytes) -> float:
    return float(((degraded.astype(float) - frame) ** 2).mean())


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.sampled_from(list(KINDS)), min_size=2, max_size=2, unique=True), seed=st.integers(0, 2**31))
def test_composed_kinds_in_any_order_give_the_same_and_repeat(kinds: list[str], seed: int) -> None:
    frame = scene(seed)
    degraded, mask = degrade_with_mask(frame, composed(*kinds), 3, seed)
    np.testing.assert_array_equal(degraded, degrade(frame, composed(*kinds[::-1]), 3, seed))
    np.testing.assert_array_equal(degraded[~mask], frame[~mask])
    assert mask.all() or all(KINDS[kind].local for kind in kinds)
    copy = pickle.loads(pickle.dumps(composed(*kinds)))
    np.testing.assert_array_equal(degraded, degrade(frame, copy, 3, seed))


@settings(max_examples=15, deadline=None, derandomize=True)  # holds for nearly every scene, not by construction
@given(seed=st.integers(0, 2**31))
def test_composed_kinds_at_a_higher_severity_are_worse(seed: int) -> None:
    frame = scene(seed)
    pair = draw_pair(seed, [kind for kind in KINDS if kind != "decalibration"])
    mild, middle, severe = (error(degrade(frame, composed(*pair), severity, seed), frame) for severity in (1, 3, 5))
    assert 0 < mild < middle < severe, pair


def test_composed_without_random_numbers_is_one_after_the_other() -> None:
    frame = scene(3)
    darker = degrade(frame, "under_exposure", 2, 0)
    expected = degrade(darker, "defocus", 2, 0).astype(int)
    assert np.abs(degrade(frame, composed("defocus", "under_exposure"), 2, 0).astype(int) - expected).max() <= 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_draw_pair_takes_two_groups_and_repeats(seed: int) -> None:
    first, second = draw_pair(seed)
    assert KINDS[first].group != KINDS[second].group
    assert draw_pair(seed) == (first, second)
    assert set(draw_pair(seed, ["fog", "jpeg"])) == {"fog", "jpeg"}


def test_draw_pair_reaches_every_kind() -> None:
    assert {kind for seed in range(1200) for kind in draw_pair(seed)} == set(KINDS)


@pytest.mark.parametrize("kind", LASTING)
@settings(max_examples=3, deadline=None, derandomize=True)  # holds for nearly every scene, not by construction
@given(seed=st.integers(0, 2**31))
def test_rising_over_one_scene_never_gets_better(kind: str, seed: int) -> None:
    frame = scene(seed)
    moments = list(rising([frame] * 12, kind, seed))
    assert [moment.severity for moment in moments] == pytest.approx(np.linspace(0, 5, 12))
    np.testing.assert_array_equal(moments[0].frame, frame)
    errors = [error(moment.frame, frame) for moment in moments]
    if kind != "decalibration":  # whose scene moves on: see tests/export/anomalies/test_kinds.py
        assert all(after >= 0.97 * before for before, after in pairwise(errors)), errors
    assert errors[-1] > errors[4] > 0
    if kind in LOCAL:
        assert all(after.mask[before.mask].all() for before, after in pairwise(moments))


def test_rising_draws_noise_anew_and_leaves_mud_in_place() -> None:
    flat = np.full((60, 120, 3), 128, dtype=np.uint8)
    noisy = [moment.frame for moment in rising([flat] * 3, "sensor_noise", 5, first=4, last=4)]
    assert np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1] < 0.1
    muddy = [moment.frame for moment in rising([flat] * 3, "mud", 5, first=4, last=4)]
    np.testing.assert_array_equal(muddy[0], muddy[1])
    both = [moment.frame.astype(float) for moment in rising([flat] * 3, ["sensor_noise", "mud"], 5, first=4, last=4)]
    assert (both[0] != both[1]).any()
    assert np.corrcoef(both[0].ravel(), both[1].ravel())[0, 1] > 0.3


def test_rising_backwards_clears_up() -> None:
    frame = scene(2)
    falling = list(rising([frame] * 3, "fog", 1, first=5, last=0))
    assert [moment.severity for moment in falling] == [5, 2.5, 0]
    np.testing.assert_array_equal(falling[-1].frame, frame)


def test_composed_of_no_or_unknown_kinds_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected a kind of anomaly from fog, .*, got none"):
        composed()
    with pytest.raises(UsageError, match="got 'hail'"):
        composed("fog", "hail")
    with pytest.raises(UsageError, match="expected kinds of two groups or more, got fog, rain, snow"):
        draw_pair(0, kinds_in("weather"))
    with pytest.raises(UsageError, match="expected a severity from 0 to 5, got 6"):
        list(rising([scene(0)] * 2, "fog", 0, last=6))

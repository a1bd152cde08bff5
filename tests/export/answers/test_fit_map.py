# SPDX-License-Identifier: Apache-2.0
"""What an anomaly map is made of: its head, the choice of its scores, its objects and its limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import label
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_curve
from torch.nn import functional as F

from export.answers.fit_map import clearest_object
from export.answers.map_choice import SMOOTHINGS, JudgedFrames, choose_map
from export.answers.map_head import CHANNELS, PENALTY, CellSample, cells_of, fit_head, layer_choices, read_channels
from export.answers.map_judgement import judge_choice
from export.answers.maps import FittedMap, MapHead, smoothed
from export.answers.pixel_scores import ENERGY, ENTROPY, HEAD, OUTPUT_PIXEL_SCORES
from export.errors import CalibrationError
from export.features.key import FeatureKey

LOGITS = FeatureKey.logit_map(8, 12)
LAYERS = tuple(FeatureKey.feature_map(name, 4, 6) for name in ("a", "b", "c"))


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (5, 7), elements=st.integers(0, 9).map(float)), st.integers(1, 36))
def test_clearest_object_of_any_map_is_the_highest_value_with_a_region_so_large(
    anomaly_map: NDArray[np.float32], smallest: int
) -> None:
    def holds(value: float) -> bool:
        numbers, count = label(anomaly_map >= value, np.ones((3, 3)))
        return any((numbers == region).sum() >= smallest for region in range(1, count + 1))

    expected = max((float(value) for value in anomaly_map.ravel() if holds(float(value))), default=-np.inf)
    assert clearest_object(anomaly_map, smallest) == expected


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_cells_of_a_frame_are_those_of_maps_that_torch_enlarges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {LOGITS: rng.normal(size=3 * 96), LAYERS[0]: rng.normal(size=(CHANNELS + 9) * 24)}
    chosen = rng.permutation(96)[:11]
    found = cells_of(values, (8, 12), chosen)
    maps = torch.from_numpy(values[LAYERS[0]]).reshape(1, -1, 4, 6)[:, torch.from_numpy(read_channels(CHANNELS + 9))]
    expected = F.interpolate(maps, (8, 12), mode="bilinear", align_corners=False)[0].flatten(1).T[chosen]
    np.testing.assert_allclose(found[LAYERS[0]], expected, atol=1e-6)
    np.testing.assert_allclose(found[LOGITS], values[LOGITS].reshape(3, 96).T[chosen], atol=1e-6)


def test_head_of_drawn_cells_is_the_regression_of_standardised_ones() -> None:
    rng = np.random.default_rng(2)
    unknown = rng.random(300) < 0.3
    numbers = {LOGITS: rng.normal(3, 2, (300, 4)), LAYERS[0]: rng.normal(-1, 5, (300, 6)) + 4 * unknown[:, None]}
    sample = CellSample({key: part.astype(np.float32) for key, part in numbers.items()}, unknown)
    head = fit_head(sample, LOGITS, LAYERS[:1], {LOGITS: 4, LAYERS[0]: 6})
    x = np.concatenate([part.astype(np.float32) for part in numbers.values()], axis=1).astype(np.float64)
    z = (x - x[~unknown].mean(axis=0)) / x[~unknown].std(axis=0)
    model = LogisticRegression(C=1 / (PENALTY * 300), tol=1e-8, max_iter=1000).fit(z, unknown)
    given = x[:, :4] @ head.logits + x[:, 4:] @ head.layers[LAYERS[0]] + head.offset
    np.testing.assert_allclose(given, model.decision_function(z), atol=1e-3)


def test_layer_choices_are_none_each_two_and_all() -> None:
    assert layer_choices((LOGITS, *LAYERS)) == (
        (),
        *((layer,) for layer in LAYERS),
        LAYERS[:2],
        (LAYERS[0], LAYERS[2]),
        LAYERS[1:],
        LAYERS,
    )
    assert layer_choices((LOGITS,)) == ((),)


def _judged(seed: int, clear: dict[str, float], heads: dict[tuple[FeatureKey, ...], float]) -> JudgedFrames:
    """Scores of noise that tell objects as clearly as is said; one and the same noise does not help two of them."""
    rng = np.random.default_rng(seed)
    unknown = np.zeros((6, 8, 12), np.bool_)
    unknown[:, 2:6, 3:8] = True
    known = ~unknown
    known[:, 1, :] = False

    def drawn(clearness: float) -> NDArray[np.float32]:
        return (3 + 2 * (rng.normal(size=unknown.shape) + clearness * unknown)).astype(np.float32)

    return JudgedFrames(
        {name: drawn(0) for name in OUTPUT_PIXEL_SCORES},
        {name: drawn(clear.get(name, 0)) for name in OUTPUT_PIXEL_SCORES},
        {layers: drawn(0) for layers in heads},
        {layers: drawn(clearness) for layers, clearness in heads.items()},
        unknown,
        known,
    )


def test_choice_of_a_clear_head_and_a_clear_score_is_their_sum_standardised_over_clean_frames() -> None:
    judged = _judged(1, {ENERGY: 1.0}, {(): 0.1, LAYERS[:1]: 1.5})
    clean_heads, pasted_heads = (
        {**heads, LAYERS: heads[LAYERS[:1]]} for heads in (judged.clean_heads, judged.pasted_heads)
    )
    judged = replace(judged, clean_heads=clean_heads, pasted_heads=pasted_heads)
    choice = choose_map(judged)
    assert set(choice.slopes) == {ENERGY, HEAD}
    assert (choice.layers, choice.best_single) == (LAYERS[:1], ENERGY)
    clean, pasted = (
        smoothed(
            choice.offset + choice.slopes[ENERGY] * own[ENERGY] + choice.slopes[HEAD] * heads[LAYERS[:1]],
            choice.smoothing,
        )
        for own, heads in ((judged.clean, judged.clean_heads), (judged.pasted, judged.pasted_heads))
    )
    assert (clean.mean(), clean.std()) == pytest.approx((0, 1), abs=1e-5)
    counted = judged.unknown | judged.known
    expected = average_precision_score(judged.unknown[counted], pasted[counted])
    assert choice.average_precision == pytest.approx(expected)
    false, true, _ = roc_curve(judged.unknown[counted], pasted[counted], drop_intermediate=False)
    assert choice.false_positives == pytest.approx(false[true >= 0.95].min(), abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_choice_is_never_below_the_best_single_score_by_more_than_a_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clear = {name: float(rng.uniform(0, 2)) for name in OUTPUT_PIXEL_SCORES}
    judged = _judged(seed, clear, {(): float(rng.uniform(0, 2))})
    choice = choose_map(judged)
    singles = [*judged.pasted.values(), *judged.pasted_heads.values()]
    best = max(
        judged.average_precision(smoothed(maps.astype(np.float64), side)) for maps in singles for side in SMOOTHINGS
    )
    assert choice.average_precision >= best - 0.01
    assert choice.best_single_average_precision <= choice.average_precision + 0.01


def test_judgement_is_the_mean_over_parts_of_what_the_other_parts_choose() -> None:
    judged, fold = _judged(3, {ENERGY: 0.8, ENTROPY: 0.7}, {(): 0.6, LAYERS[:1]: 0.9}), np.array([0, 0, 0, 1, 2, 2])
    figures = []
    for number in range(3):
        choice, own = choose_map(judged.chosen(fold != number)), fold == number
        scores = dict(judged.pasted) | ({} if choice.layers is None else {HEAD: judged.pasted_heads[choice.layers]})
        whole = smoothed(sum(slope * scores[name][own] for name, slope in choice.slopes.items()), choice.smoothing)
        single = smoothed(judged.pasted[choice.best_single][own].astype(np.float64), choice.best_single_smoothing)
        counted = (judged.unknown | judged.known)[own]
        for maps in (whole, single):
            kinds = judged.unknown[own][counted]
            false, true, _ = roc_curve(kinds, maps[counted], drop_intermediate=False)
            figures.append((own.sum(), average_precision_score(kinds, maps[counted]), false[true >= 0.95].min()))
    told = judge_choice(judged, fold)
    weights, precision, false = (np.array(column) for column in zip(*figures, strict=True))
    assert told.average_precision == pytest.approx(np.average(precision[::2], weights=weights[::2]))
    assert told.best_single_average_precision == pytest.approx(np.average(precision[1::2], weights=weights[1::2]))
    assert told.false_positives == pytest.approx(np.average(false[::2], weights=weights[::2]), abs=0.02)


def test_judgement_of_scores_that_tell_nothing_is_chance_where_the_choice_finds_more() -> None:
    chosen, told, chance = [], [], []
    for seed in range(4):
        judged = _judged(100 + seed, {}, {(): 0.0})
        chosen.append(choose_map(judged).average_precision)
        told.append(judge_choice(judged, np.arange(6) % 2).average_precision)
        chance.append(judged.unknown.sum() / (judged.unknown | judged.known).sum())
    deviation = np.std(told) / np.sqrt(len(told))
    assert np.mean(told) == pytest.approx(np.mean(chance), abs=3 * deviation + 0.01)
    assert np.mean(chosen) > np.mean(told) + deviation


def test_judgement_says_how_many_frames_are_of_parts_that_tell_nothing() -> None:
    judged, fold = _judged(3, {ENERGY: 0.8}, {(): 0.6}), np.array([0, 0, 1, 1, 1, 2])
    whole = judge_choice(judged, fold)
    assert (whole.frames, whole.left_out) == (6, 0)
    without = replace(judged, unknown=judged.unknown & (np.arange(6) < 5)[:, None, None])
    told = judge_choice(without, fold)
    assert (told.frames, told.left_out) == (5, 1), "the last part has no cell under an object"


def test_judgement_of_objects_on_one_part_alone_is_refused() -> None:
    judged = _judged(5, {}, {(): 0.0})
    judged = replace(judged, unknown=judged.unknown & (np.arange(6) < 2)[:, None, None])
    with pytest.raises(CalibrationError, match=r"expected cells .* of two parts of the drives, got them on one alone"):
        judge_choice(judged, np.array([0, 0, 1, 1, 2, 2]))


def test_choice_where_a_head_tells_nothing_leaves_it_out() -> None:
    choice = choose_map(_judged(4, {ENERGY: 1.2, ENTROPY: 1.2}, {(): -2.0}))
    assert choice.layers is None
    assert HEAD not in choice.slopes


def test_head_without_layers_is_read_from_the_logits_alone() -> None:
    fitted = FittedMap(LOGITS, {HEAD: 2.0}, 1.0, 1, np.zeros(3), np.ones(3), MapHead(np.arange(3.0), {}, 0.5))
    rows = np.random.default_rng(0).normal(size=(2, 3 * 96))
    expected = 1 + 2 * (0.5 + rows.reshape(2, 3, 96)[:, 1] + 2 * rows.reshape(2, 3, 96)[:, 2])
    np.testing.assert_allclose(fitted.anomaly_map({LOGITS: rows}).reshape(2, 96), expected, rtol=1e-5, atol=1e-5)

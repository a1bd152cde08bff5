# SPDX-License-Identifier: Apache-2.0
"""The legend under the picture of an anomaly map: it leaves the picture as it is, and tells maps apart."""

import numpy as np
import pytest

from lsood_runtime._cli.map_legend import LEGEND_HEIGHT, NARROWEST, add_map_legend


@pytest.mark.parametrize(("height", "width"), [(6, 8), (256, 512), (100, 1300), (10, 2 * NARROWEST)])
def test_legend_lies_below_a_picture_that_stays_as_it_is(height: int, width: int) -> None:
    picture = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    before = picture.copy()
    drawn = add_map_legend(picture, np.full((2, 2), 1.5, np.float32), 5.0, "none")
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(drawn[:height, :width], before)
    wide = max(width, NARROWEST)
    assert drawn.shape == (height + (wide // NARROWEST) * LEGEND_HEIGHT, wide, 3)
    assert (drawn[:height, width:] == 255).all()
    assert drawn[height:].min() < 100


def test_legend_of_a_clean_map_differs_from_that_of_another_value_and_of_other_objects() -> None:
    picture = np.zeros((20, 700, 3), np.uint8)
    seen = {
        add_map_legend(picture, np.array([[0, value]], np.float32), 5.0, words).tobytes()
        for value in (0.5, 2.0, 9.0)
        for words in ("none", "unknown", "1, with a peak of 9.0, in the centre")
    }
    assert len(seen) == 9


@pytest.mark.parametrize("limit", [0.0, -1.0, 1e-9, 1e9])
@pytest.mark.parametrize("value", [-50.0, 0.0, 3e38])
def test_legend_of_any_value_and_limit_stays_within_the_picture(limit: float, value: float) -> None:
    drawn = add_map_legend(np.zeros((4, 4, 3), np.uint8), np.full((1, 1), value, np.float32), limit, "none")
    assert drawn.shape == (4 + LEGEND_HEIGHT, NARROWEST, 3)


def test_longest_words_end_within_the_legend() -> None:
    words = "188, the clearest (188.8) in most of the lower right quarter"
    drawn = add_map_legend(np.zeros((4, 4, 3), np.uint8), np.full((1, 1), 888.88, np.float32), 5, words)
    assert (drawn[4:24, -4:] == 255).all()

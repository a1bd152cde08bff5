# SPDX-License-Identifier: Apache-2.0
"""Classes of a segmentation: of several logits the largest, of one logit its sign, everywhere that they are compared."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from lsood_runtime._inference.self_test import _pixel_changes
from lsood_runtime._maps.cell_classes import cell_classes
from lsood_runtime._segmentation_classes import segmentation_classes


@pytest.mark.parametrize("count", [1, 2, 5])
def test_classes_of_logits_are_the_most_likely_ones(count: int) -> None:
    logits = np.random.default_rng(count).normal(0, 3, (count, 6, 8)).astype(np.float32)
    likely = (expit(logits[0]) > 0.5) if count == 1 else softmax(logits, axis=0).argmax(axis=0)
    np.testing.assert_array_equal(segmentation_classes(logits), likely)
    np.testing.assert_array_equal(cell_classes(logits, 3, 4), likely[::2, ::2])
    np.testing.assert_array_equal(segmentation_classes(likely.astype(np.uint8)), likely)


@pytest.mark.parametrize("changed", [0, 5])
def test_golden_classes_of_one_logit_are_compared_by_its_sign(changed: int) -> None:
    logit = np.random.default_rng(changed).normal(0, 3, (1, 6, 8)).astype(np.float32)
    expected = (logit[0] > 0).astype(np.uint8)
    logit.reshape(-1)[:changed] *= -1
    outcome: Any = SimpleNamespace(segmentation=logit[None])
    golden: Any = SimpleNamespace(classes=expected[None])
    assert _pixel_changes([outcome], golden) == (changed / 48,)

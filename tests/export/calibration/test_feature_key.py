# SPDX-License-Identifier: Apache-2.0
"""Typed keys of features."""

import pytest

from export.calibration.feature_key import FeatureKey, FeatureKind
from export.graphs.evaluation_outputs import OUTPUT_SCORES


def test_feature_kinds_of_the_output_are_the_graphs_columns() -> None:
    assert tuple(kind for kind in FeatureKind if kind.is_output_score) == OUTPUT_SCORES


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (FeatureKey.entropy("a, b", 16), "a, b, S = 16"),
        (FeatureKey.entropy("a", 10, "fresh"), "a, S = 10, fresh masks"),
        (FeatureKey.moments("a"), "a, no sampling"),
        (FeatureKey(FeatureKind.ENERGY), "energy"),
    ],
)
def test_feature_key_in_a_table_is_shown_in_words(key: FeatureKey, shown: str) -> None:
    assert str(key) == shown


def test_feature_keys_that_look_alike_are_told_apart_by_their_fields() -> None:
    """A layer may be called anything: a text that is parsed back would mistake this one for entropies."""
    odd = FeatureKey.moments("a, S = 16")
    assert odd != FeatureKey.entropy("a", 16)
    assert (odd.tap, odd.samples, odd.kind) == ("a, S = 16", None, FeatureKind.MOMENTS)

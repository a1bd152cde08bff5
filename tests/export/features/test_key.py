# SPDX-License-Identifier: Apache-2.0
"""Typed keys of features."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.features.key import OUTPUT_SCORES, PICTURE, PICTURE_SPREAD, Aggregate, FeatureKey, FeatureKind
from export.layers.mask_mode import Mode

LAYERS = st.text(min_size=1)
KEYS = st.one_of(
    st.builds(FeatureKey.moments, LAYERS),
    st.builds(FeatureKey.entropy, LAYERS, st.integers(1, 999), st.sampled_from(get_args(Mode))),
    st.builds(FeatureKey.tiles, LAYERS, st.integers(1, 16), st.integers(1, 16)),
    st.builds(FeatureKey.picture_tiles, st.integers(1, 16), st.integers(1, 16)),
    st.builds(FeatureKey.feature_map, LAYERS, st.integers(1, 999), st.integers(1, 999)),
    st.builds(FeatureKey.logit_map, st.integers(1, 999), st.integers(1, 999)),
    st.builds(FeatureKey.output_score, st.sampled_from(OUTPUT_SCORES), st.sampled_from(Aggregate)),
    st.sampled_from(
        [
            FeatureKey.entropy(),
            PICTURE,
            PICTURE_SPREAD,
            FeatureKey(FeatureKind.LOGIT_MOMENTS),
            FeatureKey(FeatureKind.CLASS_SHARE),
            FeatureKey(FeatureKind.EXPECTED_IOU),
        ]
    ),
)


@given(KEYS)
def test_feature_key_of_any_layer_is_read_back_from_its_text(key: FeatureKey) -> None:
    assert FeatureKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("key", "name", "output"),
    [
        (FeatureKey.entropy(), "entropy", "latent_samples"),
        (FeatureKey.moments("backbone.layer2"), "moments/backbone.layer2", "moments/backbone.layer2"),
        (FeatureKey.tiles("a/b", 4, 8), "tiles/a/b/4x8", "tiles/a/b/4x8"),
        (FeatureKey.feature_map("a/b", 8, 16), "feature_map/a/b/8x16", "feature_map/a/b/8x16"),
        (FeatureKey.logit_map(64, 128), "logit_map/64x128", "logit_map/64x128"),
        (PICTURE, "picture", "picture"),
        (PICTURE_SPREAD, "picture_spread", "picture_spread"),
        (FeatureKey.picture_tiles(4, 8), "picture_tiles/4x8", "picture_tiles/4x8"),
        (FeatureKey(FeatureKind.LOGIT_MOMENTS), "logit_moments", "logit_moments"),
        (FeatureKey(FeatureKind.CLASS_SHARE), "class_share", "class_share"),
        (FeatureKey(FeatureKind.EXPECTED_IOU), "expected_iou", "expected_iou"),
        (FeatureKey.output_score(FeatureKind.ENERGY), "energy/mean", "energy/mean"),
        (
            FeatureKey.output_score(FeatureKind.MAXIMUM_LOGIT, Aggregate.WORST5),
            "maximum_logit/worst5",
            "maximum_logit/worst5",
        ),
    ],
)
def test_feature_key_of_a_bundle_is_named_after_the_graphs_output(key: FeatureKey, name: str, output: str) -> None:
    assert (str(key), key.output) == (name, output)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "moments",
        "moments/",
        "energy",
        "energy/median",
        "latent_samples",
        "class_share/a",
        "logit_map",
        "logit_map/a/4x8",
        "feature_map/4x8",
        "feature_map/a",
        "tiles/a",
        "tiles/a/4x",
        "tiles//4x8",
        "tiles/a/4x8x2",
        "entropy/a",
        "entropy/a/x/fixed",
        "entropy/a/016/fixed",
        "entropy/a/16/often",
    ],
)
def test_feature_key_of_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a feature, got "):
        FeatureKey.parse(text)


def test_feature_key_without_what_its_kind_has_is_refused() -> None:
    for kind in (FeatureKind.MOMENTS, FeatureKind.ENERGY):
        with pytest.raises(ValueError, match="expected a key of"):
            FeatureKey(kind)
    with pytest.raises(ValueError, match="expected a key of class_share"):
        FeatureKey(FeatureKind.CLASS_SHARE, aggregate=Aggregate.MEAN)
    with pytest.raises(ValueError, match="expected a key of entropy"):
        FeatureKey.entropy("layer")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (FeatureKey.entropy("a, b", 16), "a, b, S = 16"),
        (FeatureKey.entropy("a", 10, "fresh"), "a, S = 10, fresh masks"),
        (FeatureKey.entropy(), "entropy"),
        (FeatureKey.moments("a"), "a, no sampling"),
        (FeatureKey(FeatureKind.LOGIT_MOMENTS), "logit moments"),
        (FeatureKey.output_score(FeatureKind.ENERGY), "energy"),
        (FeatureKey.output_score(FeatureKind.ENERGY, Aggregate.Q95), "energy, q95"),
    ],
)
def test_feature_key_in_a_table_is_shown_in_words(key: FeatureKey, shown: str) -> None:
    assert key.words == shown


def test_feature_keys_that_look_alike_are_told_apart_by_their_fields() -> None:
    """A layer may be called anything: the words for tables are not enough to tell keys apart."""
    odd = FeatureKey.moments("a, S = 16")
    assert odd != FeatureKey.entropy("a", 16)
    assert (odd.layer, odd.samples, odd.kind) == ("a, S = 16", None, FeatureKind.MOMENTS)

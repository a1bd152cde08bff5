# SPDX-License-Identifier: Apache-2.0
"""Parts of a detector by name, and the default ones."""

import pytest

from export.detectors.part_choice import (
    ENERGY_WEIGHT,
    LAYERS_WEIGHT,
    PICTURE_WEIGHT,
    check_available,
    check_parts,
    fused_parts,
    one_part,
    parse_part,
)
from export.errors import UsageError
from export.features.key import OUTPUT_SCORES, PICTURE, Aggregate, FeatureKey, FeatureKind

ENTROPY, ENERGY = FeatureKey.entropy(), FeatureKey.output_score(FeatureKind.ENERGY)
LAYERS = [FeatureKey.moments(name) for name in ("tap", "layer1", "layer2")]
AVAILABLE = [ENTROPY, *LAYERS, PICTURE, FeatureKey(FeatureKind.LOGIT_MOMENTS), ENERGY]


def test_parse_part_of_features_side_by_side_reads_them_in_order() -> None:
    part = parse_part("knn@moments/layer1+entropy")
    assert (part.kind, part.keys) == ("knn", (LAYERS[1], ENTROPY))
    assert parse_part("output-score@energy/mean").name == "energy/mean"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entropy", "DETECTOR@FEATURE"),
        ("fused@entropy", "DETECTOR@FEATURE"),
        ("lof@entropy", "expected a detector among"),
        ("kde@", "name of a feature"),
        ("kde@moments", "name of a feature"),
        ("output-score@entropy", "for output-score"),
        ("kde@entropy+entropy", "different features"),
    ],
)
def test_parse_part_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_part(text)


def test_fused_parts_take_entropies_for_the_tap_and_the_picture_and_the_energy_where_there_are_any() -> None:
    names = [part.name for part in fused_parts(AVAILABLE, ["tap"])]
    assert names == [
        "entropy, mahalanobis",
        "moments/layer1, mahalanobis",
        "moments/layer2, mahalanobis",
        "picture, mahalanobis",
        "energy/mean",
    ]
    assert [part.name for part in fused_parts([ENTROPY], ["tap"])] == ["entropy, mahalanobis"]


@pytest.mark.parametrize("layers", [0, 1, 2, 7])
def test_fused_parts_of_any_number_of_layers_give_these_one_vote(layers: int) -> None:
    """Layers say much the same: a network of which more are observed must not outvote picture and energy by that."""
    observed = [FeatureKey.moments(f"layer{i}") for i in range(layers)]
    alone = fused_parts([ENTROPY, *observed], [])
    assert [part.weight for part in alone] == pytest.approx([LAYERS_WEIGHT / (layers + 1)] * (layers + 1))
    *inside, picture, energy = fused_parts([ENTROPY, *observed, PICTURE, ENERGY], [])
    assert sum(part.weight for part in inside) == pytest.approx(LAYERS_WEIGHT)
    assert (picture.weight, energy.weight) == (PICTURE_WEIGHT, ENERGY_WEIGHT)
    assert all(part.needs_drives for part in (*inside, picture)), "they are fitted"
    assert not energy.needs_drives, "it is not"


def test_one_part_without_features_reads_what_its_detector_is_made_for() -> None:
    assert one_part("kde", (), AVAILABLE, ["tap"]).keys == (ENTROPY,)
    assert one_part("output-score", (), AVAILABLE, ["tap"]).keys == (ENERGY,)
    with pytest.raises(UsageError, match="gives energy for --detector output-score"):
        one_part("output-score", (), [ENTROPY], ["tap"])


@pytest.mark.parametrize(("taps", "expected"), [(["tap"], "tap"), (["tap", "layer1"], "layer1")])
def test_one_part_of_the_penultimate_layer_reads_the_last_tap(taps: list[str], expected: str) -> None:
    """The taps stand first among the layers, and the others lie before them in the network."""
    assert one_part("vim", (), AVAILABLE, taps).keys == (FeatureKey.moments(expected), ENERGY)
    assert one_part("neco", (), AVAILABLE, taps).keys == (FeatureKey.moments(expected),)


def test_check_available_names_what_is_missing() -> None:
    with pytest.raises(UsageError, match="it has no moments/layer9"):
        check_available([parse_part("kde@moments/layer9")], AVAILABLE)


def test_check_available_lists_scores_and_aggregates_once() -> None:
    available = [ENTROPY, *(FeatureKey.output_score(kind, to) for kind in OUTPUT_SCORES for to in Aggregate)]
    with pytest.raises(UsageError) as caught:
        check_available([parse_part("kde@class_share")], available)
    message = str(caught.value)
    assert len(message) < 400
    for key in available:
        assert all(word in message for word in str(key).split("/"))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["kde@entropy", "knn@entropy", "kde@entropy"], "entropy, kde more than once: drop one"),
        (["kde@entropy", "kde-classifier@entropy"], "got kde-classifier, which needs out-of-distribution frames"),
    ],
)
def test_check_parts_of_what_cannot_be_summed_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_parts([parse_part(text) for text in texts])
    check_parts([parse_part("kde@entropy"), parse_part("knn@entropy")])

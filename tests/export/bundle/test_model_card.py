# SPDX-License-Identifier: Apache-2.0
"""The model card of a frozen manifest."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from export.bundle.evaluation_record import BlindRecord, EvaluationRecord, HurtingRecord, ShiftRecord
from export.bundle.model_card import model_card
from lsood_runtime import Manifest, read_manifest
from lsood_runtime.offline import PartRecord
from tests.paths import FROZEN_BUNDLE


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest(FROZEN_BUNDLE)


def metadata_of(card: str) -> tuple[dict[str, Any], str]:
    """Metadata at the head of a card, read as YAML, and the text below."""
    empty, head, text = card.split("---\n", 2)
    assert empty == ""
    metadata: dict[str, Any] = yaml.safe_load(head)
    return metadata, text


def drawn_evaluation() -> EvaluationRecord:
    shifts = (
        ShiftRecord("fog, severity 3", 40, 0.987654321, 0.025, 0.5),
        ShiftRecord("Nachtfahrt ü: 1", 7, 1.0, 0.0, None),
    )
    return EvaluationRecord("2026-11-27T10:00:00+00:00", "5%", 120, (0.05, 0.01, 0.12), 0.9, shifts, ())


def test_metadata_of_a_card_before_an_evaluation_have_no_results_and_state_no_licence(manifest: Manifest) -> None:
    metadata, text = metadata_of(model_card(manifest))
    assert metadata == {
        "library_name": "lsood-runtime",
        "tags": ["out-of-distribution-detection", "semantic-segmentation", "onnx", "lsood"],
        "pipeline_tag": "image-segmentation",
    }
    assert text.startswith("# Out-of-distribution monitor for")
    without = replace(manifest, segmentation=replace(manifest.segmentation, kind="none"))
    assert "pipeline_tag" not in metadata_of(model_card(without))[0]


@pytest.mark.parametrize("stated", ["apache-2.0", "other: - [x] # 'mine'"])
def test_metadata_of_a_card_have_the_licence_that_was_stated(manifest: Manifest, stated: str) -> None:
    metadata, _ = metadata_of(model_card(replace(manifest, config=manifest.config | {"license": stated})))
    assert next(iter(metadata.items())) == ("license", stated)


def test_metadata_of_a_card_have_the_figures_of_the_evaluation_as_results(manifest: Manifest) -> None:
    metadata, text = metadata_of(model_card(manifest, drawn_evaluation()))
    (index,) = metadata["model-index"]
    assert index["name"] == manifest.name
    figures = {
        result["dataset"]["name"]: (
            result["dataset"]["type"],
            result["dataset"]["args"]["frames"],
            {metric["type"]: metric["value"] for metric in result["metrics"]},
        )
        for result in index["results"]
    }
    assert figures == {
        "In-distribution frames": ("in-distribution", 120, {"false_alarm_rate": 0.05}),
        "fog, severity 3": ("fog-severity-3", 40, {"roc_auc": 0.987654, "miss_rate": 0.025, "mean_iou": 0.5}),
        "Nachtfahrt ü: 1": ("nachtfahrt-1", 7, {"roc_auc": 1.0, "miss_rate": 0.0}),
    }
    assert index["results"][0]["metrics"][0]["args"] == {"low": 0.01, "high": 0.12}
    assert "## Evaluated" in text


def test_hub_reads_the_results_of_a_card_as_its_own_and_writes_the_same(manifest: Manifest) -> None:
    cards = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    stated = replace(manifest, config=manifest.config | {"license": "mit"})
    card = cards.ModelCard(model_card(stated, drawn_evaluation()))
    assert (card.data.license, card.data.pipeline_tag) == ("mit", "image-segmentation")
    assert (card.data.library_name, card.data.model_name) == ("lsood-runtime", manifest.name)
    results = [(each.dataset_name, each.metric_type, each.metric_value) for each in card.data.eval_results]
    assert results == [
        ("In-distribution frames", "false_alarm_rate", 0.05),
        ("fog, severity 3", "roc_auc", 0.987654),
        ("fog, severity 3", "miss_rate", 0.025),
        ("fog, severity 3", "mean_iou", 0.5),
        ("Nachtfahrt ü: 1", "roc_auc", 1.0),
        ("Nachtfahrt ü: 1", "miss_rate", 0.0),
    ]
    assert metadata_of(str(card))[0] == metadata_of(card.content)[0]


def test_model_card_without_an_evaluation_states_that(manifest: Manifest) -> None:
    card = model_card(manifest)
    contract, threshold = manifest.input, manifest.threshold
    for text in (
        f"# Out-of-distribution monitor for {manifest.name}",
        f"**{threshold.value:.3f}**",
        f"({contract.frame_height}, {contract.frame_width}, 3) uint8, {contract.channels}",
        f"| {manifest.operating_point} | {threshold.value:.4g} |",
        f"drop probability {manifest.masks.drop_prob:g}, block size {manifest.masks.block_size}",
        "not evaluated on out-of-distribution frames yet",
    ):
        assert text in card
    assert "## Evaluated" not in card


def test_model_card_of_many_drives_states_the_rate_for_new_ones_and_the_warnings(manifest: Manifest) -> None:
    point = replace(manifest.threshold, new_drive_rate=0.25)
    calibration = replace(manifest.calibration, warnings=("drive b differs",))
    known = replace(manifest, operating_points={manifest.operating_point: point}, calibration=calibration)
    card = model_card(known)
    assert "| at most 25.0% |" in card
    assert "**Warning:** drive b differs." in card
    assert "**Warning:**" not in model_card(manifest)
    single = replace(known, operating_points={manifest.operating_point: replace(point, new_drive_rate=None)})
    assert "| no guarantee |" in model_card(single)


def test_model_card_of_a_sum_of_parts_describes_each(manifest: Manifest) -> None:
    assert "part `" not in model_card(manifest)
    part = PartRecord(
        name="moments/layer2, kde", features=("moments/layer2",), kind="kde", centre=-1.5, scale=0.25, weight=1.0
    )
    other = replace(part, name="entropy, kde", features=("entropy",))
    card = model_card(replace(manifest, detector=replace(manifest.detector, parts=(part, other))))
    assert "| part `moments/layer2, kde` | kde of moments/layer2; weight 1, centre -1.5, scale 0.25 |\n" in card
    assert "| part `entropy, kde` | kde of entropy; weight 1, centre -1.5, scale 0.25 |\n| calibration |" in card
    assert "the sum of 2 parts; chosen because" in card


def test_model_card_of_a_cross_fit_says_what_is_expected_and_of_whom_the_bound_is_proven(manifest: Manifest) -> None:
    point = replace(
        manifest.threshold,
        folds=5,
        proven_rate=0.12,
        new_drive_rate=0.2,
        new_drives_expected=0.04,
        new_drives_low=0.02,
        new_drives_high=0.09,
    )
    calibration = replace(manifest.calibration, advice=("70 drives let the threshold spend little",))
    card = model_card(replace(manifest, operating_points={manifest.operating_point: point}, calibration=calibration))
    assert "| at most 12.0% |" in card
    assert "| 4.0%, 2.0% to 9.0% | at most 20.0% |" in card
    assert "nothing is proven of the shipped one alone" in card
    assert "\n70 drives let the threshold spend little.\n" in card
    assert "held-out frames" not in card


def test_model_card_of_a_detector_without_entropies_names_what_it_reads_and_no_masks(manifest: Manifest) -> None:
    sampled = model_card(manifest)
    assert "by how far the entropy of its latent features lies from that of in-distribution frames" in sampled
    assert "| features | `entropy` |\n" in sampled
    assert f"| masks | {manifest.masks.count} fixed" in sampled
    features: dict[str, tuple[int, ...]] = {"moments/layer2": (24,), "energy/mean": (1,)}
    detector = replace(manifest.detector, kind="vim")
    card = model_card(replace(manifest, features=features, detector=detector))
    assert "features of the one forward pass, `moments/layer2`, `energy/mean`\n(virtual logit" in card
    assert "| features | `moments/layer2`, `energy/mean` |\n" in card
    assert "entrop" not in card
    assert "| masks |" not in card


def test_model_card_of_a_sum_of_parts_says_that_it_adds_them(manifest: Manifest) -> None:
    one = PartRecord("energy/mean", ("energy/mean",), "output-score", centre=-3.0, scale=0.5, weight=1.0)
    other = replace(one, name="moments/layer2, mahalanobis", features=("moments/layer2",), kind="mahalanobis")
    features: dict[str, tuple[int, ...]] = {"energy/mean": (1,), "moments/layer2": (24,)}
    detector = replace(manifest.detector, kind="fused", parts=(one, other))
    plain = replace(manifest, features=features, detector=detector)
    card = model_card(plain)
    assert "by the sum of 2 parts" in card
    assert "The parts tell which features are far off" in card
    assert "entrop" not in card
    sampled = model_card(replace(plain, features={**manifest.features, **features}))
    assert "(entropies by Monte-Carlo samples of a latent layer" in sampled
    assert "| features | `entropy`, `energy/mean`, `moments/layer2` |\n" in sampled


def test_model_card_with_an_evaluation_lists_its_shifts(manifest: Manifest) -> None:
    fog = ShiftRecord(name="fog 5", frames=12, auroc=0.987, miss_rate=0.125, mean_iou=None, hurting_share=0.4)
    dusk = ShiftRecord(name="dusk", frames=7, auroc=0.6, miss_rate=0.9, mean_iou=0.3)
    record = EvaluationRecord(
        created="2026-01-01T00:00:00+00:00",
        operating_point="5%",
        ind_frames=40,
        false_alarm_rate=(0.05, 0.02, 0.11),
        mean_auroc=0.8,
        shifts=(fog, dusk),
        blind=(
            BlindRecord("dusk", None, None, frames=7, missed=0.9, auroc=0.6, known_to_hurt=False),
            BlindRecord("fog 5", "fog", 5, frames=5, missed=0.4, auroc=0.95, known_to_hurt=True),
        ),
        drives=12,
        mostly_flagged_drives=1,
        hurting=HurtingRecord("A frame hurts or not.", 5, 0.95, (0.4, 0.3, 0.5), 1, 0.97, "fog", 0.96),
    )
    card = model_card(manifest, record)
    assert "| fog 5 | 12 | 0.987 | 12.5% | 40% |" in card
    assert "| dusk | 7 | 0.600 | 90.0% | not known |" in card
    assert "Of 12 drives 1 were flagged on more than half of their frames." in card
    assert "A frame hurts or not. Of the 5 frames that hurt 40.0% (30.0% to 50.0%) were missed at the threshold" in card
    assert "over the 1 cells that hurt 0.970, worst kind fog (0.960)" in card
    assert "5.0% (2.0% to 11.0%) of\n40 in-distribution frames" in card
    assert "- dusk: 90% of 7 frames, of which it is not known whether they hurt missed, AUROC 0.60" in card
    assert "- fog 5: 40% of 5 frames that hurt missed, AUROC 0.95" in card
    plain = model_card(manifest, replace(record, blind=(), hurting=None, drives=0))
    assert "that it misses at the threshold: none of those evaluated." in plain
    assert "drives" not in plain.partition("## Evaluated")[2]

# SPDX-License-Identifier: Apache-2.0
"""Records in words: every figure stands in the sentence."""

import dataclasses

from lsood_runtime import Manifest
from lsood_runtime.offline import (
    DetectorRecord,
    PartRecord,
    PrecisionRecord,
    detector_sentence,
    operating_point_sentence,
    part_sentence,
    precision_sentence,
)
from tests.lsood_runtime.bundle.test_manifest import text_with

POINT = dataclasses.replace(
    Manifest.from_json(text_with()).threshold,
    value=1.5,
    false_alarm_rate=0.05,
    rate_low=0.01,
    rate_high=0.1,
    confidence=0.9,
)
DETECTOR = DetectorRecord(
    kind="kde",
    reason="it was best",
    parameters={"bandwidth": 0.25, "leaves": 3},
    standardise=False,
    pca_components=None,
    fit_frames=12,
    fit_ood_frames=0,
)

PART = PartRecord(name="a", features=("entropy", "moments/a"), kind="kde", centre=-1.25, scale=2.0, weight=0.5)


def test_operating_point_sentence_one_drive_promises_nothing_on_new_ones() -> None:
    assert operating_point_sentence(POINT) == (
        "1.500 for 5.0% false alarms; 1.0% to 10.0% (90% interval) on known drives, nothing guaranteed on new ones (by hand)"
    )


def test_operating_point_sentence_several_drives_state_the_rate_of_new_ones() -> None:
    sentence = operating_point_sentence(dataclasses.replace(POINT, new_drive_rate=0.2))
    assert "at most 20.0% guaranteed on new ones" in sentence


def test_operating_point_sentence_of_a_cross_fit_separates_what_is_expected_from_what_is_proven() -> None:
    point = dataclasses.replace(
        POINT,
        folds=5,
        proven_rate=0.12,
        new_drive_rate=0.2,
        new_drives_expected=0.04,
        new_drives_low=0.02,
        new_drives_high=0.09,
    )
    assert operating_point_sentence(point) == (
        "1.500 for 5.0% false alarms (at most 12.0% proven); 1.0% to 10.0% (90% interval) on known drives, 4.0% expected on "
        "new ones, 2.0% to 9.0%; at most 20.0% proven there, for the detectors of the folds (by hand)"
    )


def test_detector_sentence_plain_detector_names_frames_and_numbers() -> None:
    assert detector_sentence(DETECTOR) == "kde on 12 frames, bandwidth 0.25"


def test_detector_sentence_every_option_is_named() -> None:
    detector = dataclasses.replace(DETECTOR, standardise=True, pca_components=4, fit_ood_frames=5)
    assert detector_sentence(detector, "a density") == (
        "a density on 12 frames and 5 out-of-distribution frames, standardised, 4 whitened principal components, "
        "bandwidth 0.25"
    )


def test_detector_sentence_of_parts_counts_them() -> None:
    detector = dataclasses.replace(DETECTOR, parts=(PART, dataclasses.replace(PART, name="b")))
    assert detector_sentence(detector) == "kde on 12 frames, bandwidth 0.25, the sum of 2 parts"


def test_part_sentence_any_part_names_what_it_reads_and_its_scale() -> None:
    assert part_sentence(PART) == "kde of entropy, moments/a; weight 0.5, centre -1.25, scale 2"


def test_precision_sentence_float32_is_its_name_alone() -> None:
    assert precision_sentence(PrecisionRecord()) == "fp32"


def test_precision_sentence_fewer_bits_state_their_costs() -> None:
    precision = PrecisionRecord(
        kind="int8", float_layers=("a", "b"), frames=9, flips=0.1, auroc_loss=-0.01, pixel_changes=0.025
    )
    assert precision_sentence(precision) == (
        "int8, 2 layers in float; against float32 over 9 frames: 10.0% decided otherwise, AUROC +0.0100, "
        "2.50% of pixels of another class"
    )
    assert "layers" not in precision_sentence(dataclasses.replace(precision, float_layers=()))

# SPDX-License-Identifier: Apache-2.0
"""The catalogue of hazards that the monitor cannot see, or sees too late: each with what shows it and what is left to do."""

from collections.abc import Sequence

from export.evidence.answer_measures import answers_with
from export.evidence.claims import EvidenceFigure
from export.evidence.evaluation_measures import missed_frames
from export.evidence.json_pointer import pointer
from export.evidence.pack_names import FIGURES
from export.evidence.sources import EvidenceSources, UnmeasuredError
from export.evidence.statement import Statement, at, share_at, text_at
from lsood_runtime.offline import MANIFEST_FILE

_STREAM = "tests/lsood_runtime/stream"


def _missed(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
    try:
        return missed_frames(sources)
    except UnmeasuredError:
        return ()


def _blind_spots(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
    """Share of the frames that hurt which are missed, of every blind spot of the report."""
    rows = sources.rows(FIGURES, "/blind")
    places = [(str(row.get("name")), pointer("blind", i)) for i, row in enumerate(rows)]
    figures = [
        sources.figure(
            f"blind spot {name}: missed", FIGURES, f"{place}/missed", frames=sources.count(FIGURES, f"{place}/frames")
        )
        for name, place in places
    ]
    return [figure for figure in figures if figure is not None]


def _found_objects(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
    """Average precision of the anomaly map by masks of unknown objects, of every set that has them."""
    figures = [
        sources.figure(
            f"{row.get('name')}: average precision of the map", FIGURES, pointer("masks", i, "average_precision")
        )
        for i, row in enumerate(sources.rows(FIGURES, "/masks"))
    ]
    return [figure for figure in figures if figure is not None]


def _features(sources: EvidenceSources) -> str:
    return ", ".join(sources.manifest.features)


HAZARDS = (
    Statement(
        "H-IND-1",
        "hazard",
        "The network errs on a frame like those of its training, and nothing about the frame is unusual.",
        ("ai-analysis", "sotif-unknown", "rta-coverage"),
        "Other sensors, plausibility over time, and the network's own errors in its safety analysis.",
        (
            at("mIoU in distribution", FIGURES, "/ind/mean_iou"),
            at("mean mIoU of the frames that are accepted", FIGURES, "/accepted_mean_iou"),
            at("rank correlation of the score with a frame's mIoU", FIGURES, "/failures/0/spearman"),
        ),
        ("tests/export/evaluation/test_failure_prediction.py::test_risk_coverage_of_any_scores_equals_a_plain_loop",),
        ("docs/concepts/metrics.md#Failure prediction",),
    ),
    Statement(
        "H-SHF-1",
        "hazard",
        "A shift hurts the segmentation and stays below the threshold.",
        ("sotif-known", "sotif-triggers", "rta-coverage"),
        "Exclude what is listed from the operational design domain, or detect it by other means.",
        (_missed, _blind_spots),
        (
            "tests/export/evaluation/test_hurting.py::"
            "test_blind_spots_are_shifts_that_hurt_and_are_missed_those_known_to_hurt_first",
        ),
        ("docs/how-to/evaluate.md#What hurts, and what does not",),
    ),
    Statement(
        "H-SHF-2",
        "hazard",
        "A shift that no feature of the detector shows is not found, as an occlusion that looks like a part of the scene.",
        ("sotif-unknown", "ai-analysis", "rta-coverage"),
        "Evaluate kinds that nobody fitted on, and watch the field for frames that were accepted and were wrong.",
        (text_at("features that the detector reads", MANIFEST_FILE, "/features", _features),),
        ("tests/export/pipeline/test_blind_tap.py::test_export_of_a_blind_tap_has_the_warning_in_its_bundle",),
        ("docs/results/answers.md#What is not reached", "docs/concepts/features.md#Which layers"),
    ),
    Statement(
        "H-OBJ-1",
        "hazard",
        "An unknown object that looks like the road or like a class of the network, as a boulder may, is segmented as that "
        "and not told.",
        ("sotif-unknown", "ai-analysis", "rta-coverage"),
        "A sensor that measures distance, for whatever stands on the road.",
        (_found_objects,),
        (
            "tests/export/evaluation/test_masks_of_a_bundle.py::"
            "test_evaluate_with_masks_has_the_figures_of_the_maps_that_the_monitor_gives",
        ),
        ("docs/results/map.md#What the map cannot see",),
    ),
    Statement(
        "H-OBJ-2",
        "hazard",
        "An object smaller than a few cells of the map, or far away, is not told.",
        ("sotif-unknown", "ai-analysis", "rta-coverage"),
        "Derive from speed and braking distance how large an object must be seen how far away, and compare.",
        (
            at("cells of an object at least", MANIFEST_FILE, "/answers/map/smallest_object"),
            at("rows of the map", MANIFEST_FILE, "/answers/map/rows"),
            at("columns of the map", MANIFEST_FILE, "/answers/map/columns"),
        ),
        ("tests/lsood_runtime/maps/test_objects.py::test_objects_are_those_of_scipy_wherever_the_network_looks",),
        ("docs/results/map.md#What the map cannot see",),
    ),
    Statement(
        "H-ADV-1",
        "hazard",
        "A picture made to deceive, a photograph of a road or a pattern on a wall, may be in distribution: neither network "
        "nor monitor was hardened or tested against such inputs.",
        ("ai-analysis", "sotif-unknown"),
        "Treat it in the security analysis of the vehicle.",
        (),
        ("tests/export/evidence/test_hazards.py::test_photograph_of_a_road_before_the_camera_is_in_distribution",),
        ("docs/how-to/evidence.md#Hazards that nothing here measures",),
    ),
    Statement(
        "H-TIM-1",
        "hazard",
        "Time stamps are wrong and plausible: of frames that are delayed, or of two publishers within a second on one name.",
        ("sotif-triggers", "rta-inputs"),
        "Stamp at the sensor, and compare with the time of receipt outside the monitor.",
        (),
        (
            f"{_STREAM}/test_clocks.py::test_stream_stamps_out_of_order_within_a_second_keep_the_evidence",
            f"{_STREAM}/test_clocks.py::test_stream_two_publishers_on_one_name_count_apart",
        ),
        ("docs/how-to/alarms.md#Clocks",),
    ),
    Statement(
        "H-TIM-2",
        "hazard",
        "A camera whose noise is far below a grey level cannot be told from a frozen one while the vehicle stands, and a "
        "video coder hides a freeze.",
        ("sotif-triggers", "rta-inputs"),
        "Have the camera count its frames in the picture or beside it.",
        (),
        (f"{_STREAM}/test_frozen.py::test_stream_more_buffers_than_are_remembered_are_new_images",),
        ("docs/how-to/alarms.md#Clocks",),
    ),
    Statement(
        "H-DRF-1",
        "hazard",
        "A shift that comes so slowly that no frame is unusual is seen late: by the alarm on the quality, or over many "
        "frames by the drift index, where either is used.",
        ("ai-operation", "sotif-operation", "rta-coverage"),
        "Use the alarm on the quality, and compare drives with the calibration at the end of each.",
        (),
        (
            f"{_STREAM}/test_quality_drift.py::"
            "test_stream_of_a_degradation_that_creeps_in_raises_the_quality_alarm_before_it_is_at_its_worst",
            f"{_STREAM}/test_false_alarms.py::test_histogram_index_by_chance_of_few_scores_is_above_a_large_drift",
        ),
        ("docs/how-to/alarms.md#When the expected quality falls", "docs/how-to/alarms.md#Follow drift"),
    ),
    Statement(
        "H-DAT-1",
        "hazard",
        "Labels are wrong: which frames hurt, the expected quality and every figure by labels are then wrong with them.",
        ("ai-data", "ai-analysis"),
        "Have a sample of the labels made twice, and state how far the two agree.",
        (at("mIoU in distribution", FIGURES, "/ind/mean_iou"),),
        ("tests/export/evaluation/test_hurting.py::test_harm_by_agreement_or_labels_follows_its_rule",),
        ("docs/how-to/evaluate.md#What hurts, and what does not",),
    ),
    Statement(
        "H-DAT-2",
        "hazard",
        "Frames of the calibration leaked from the training: their scores are too low, and so is the threshold.",
        ("ai-data", "ai-analysis"),
        "Name the training frames at the export, and keep drives apart by vehicle and day.",
        (),
        ("tests/export/frames/test_overlap.py::test_check_overlap_with_a_drive_of_the_training_set_names_it",),
        ("docs/concepts/thresholds.md#Warnings",),
    ),
    Statement(
        "H-DAT-3",
        "hazard",
        "Drives of the calibration are unlike those of the use: on another road all frames may be flagged, or none.",
        ("ai-data", "sotif-unknown"),
        "Calibrate on many drives of the operational design domain, and watch the rate of alarms in the field.",
        (share_at("false alarms", FIGURES, "/ind/false_alarm_rate", "/ind/frames"),),
        (
            "tests/export/calibration/test_conformal.py::"
            "test_set_threshold_by_frames_of_few_drives_exceeds_the_rate_on_new_ones",
        ),
        ("docs/results/camvid.md#What it says",),
    ),
    Statement(
        "H-ANS-1",
        "hazard",
        "A degradation of a kind that the fit has not seen gets a wrong cause with confidence, or too good a quality.",
        ("sotif-unknown", "ai-analysis", "rta-coverage"),
        "Do not release a restriction because of a cause or a quality alone.",
        (
            share_at(
                "kinds not in the fit: confidently another kind",
                FIGURES,
                "/answers/causes/not_in_the_fit/confidently_wrong",
                "/answers/causes/not_in_the_fit/frames",
            ),
            share_at(
                "kinds not in the fit: quality within its interval",
                FIGURES,
                "/answers/quality/groups/kinds not in the fit/covered",
                "/answers/quality/groups/kinds not in the fit/frames",
            ),
        ),
        (
            "tests/export/test_answers_evaluated.py::test_evaluate_of_a_bundle_with_answers_collects_those_of_the_vehicle",
        ),
        ("docs/results/answers.md#Fourteen kinds, each left out of the fit in turn",),
        answers_with(lambda answers: answers.cause or answers.quality),
    ),
    Statement(
        "H-CCF-1",
        "hazard",
        "Monitor and network share one pass, one processor and one input: a fault of these may strike both at once.",
        ("ai-architecture", "rta-monitor"),
        "Supervise the process and the memory from outside, and treat the shared input in the safety analysis.",
        (),
        ("tests/lsood_runtime/test_monitor.py::test_score_failure_inside_onnx_runtime_is_a_provider_error",),
        ("docs/architecture.md#From a frame to an alarm",),
    ),
    Statement(
        "H-GPU-1",
        "hazard",
        "Frames in the memory of a GPU are not looked at for black, saturated or frozen pictures.",
        ("rta-inputs", "sotif-triggers"),
        "Check the camera's frames before they go to the device.",
        (),
        ("tests/lsood_runtime/inference/test_device_pass.py::test_device_pass_frame_on_the_device_is_not_copied",),
        ("docs/how-to/runtime.md#Score a frame",),
    ),
)

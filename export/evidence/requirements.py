# SPDX-License-Identifier: Apache-2.0
"""The catalogue of requirements, each with the rule that computes its verdict."""

from export.evaluation.blind_spots import MISSED
from export.evaluation.interval import FEWEST_DRIVES
from export.evidence import (
    alarm_measures,
    answer_measures,
    calibration_measures,
    evaluation_measures,
    provider_measures,
)
from export.evidence.answer_measures import answers_with
from export.evidence.integrity_requirements import INPUTS, INTEGRITY
from export.evidence.requirement import ALARM, CERTIFY, EVALUATE, EXPORT, Requirement, limit_of
from export.evidence.sources import EvidenceSources

LATENCY_RATIO = 1.05
"""Time of a verdict with all answers over that of the bare network, that this project aims at."""

_RUNTIME, _STREAM = "tests/lsood_runtime", "tests/lsood_runtime/stream"

FALSE_ALARMS = (
    Requirement(
        "R-FAR-1",
        "On drives that nothing was fitted on, false alarms are as rare as the operating point declares.",
        ("ai-requirements", "ai-verification", "sotif-known", "rta-monitor"),
        EVALUATE,
        evaluation_measures.false_alarms,
        lambda sources: sources.declared_rate,
        criterion="interval",
        tests=(
            "tests/export/calibration/test_conformal.py::test_conformal_threshold_over_many_calibrations_holds_the_rate_on_average",
        ),
    ),
    Requirement(
        "R-FAR-2",
        "No drive in distribution is flagged on more than half of its frames.",
        ("ai-verification", "sotif-known", "rta-monitor"),
        EVALUATE,
        evaluation_measures.flagged_drives,
        limit_of(0),
        tests=(
            "tests/export/evaluation/test_evaluate.py::"
            "test_evaluate_by_drives_of_a_table_leaves_them_out_and_counts_their_alarms",
        ),
    ),
    Requirement(
        "R-FAR-3",
        "From the calibration alone, the declared rate of false alarms is to be expected on new drives.",
        ("ai-requirements", "rta-monitor"),
        EXPORT,
        calibration_measures.expected_rate,
        lambda sources: sources.declared_rate,
        criterion="interval",
        tests=(
            "tests/export/calibration/test_rate_intervals.py::test_new_drives_interval_covers_the_rate_of_unseen_drives",
        ),
    ),
)

DETECTION = (
    Requirement(
        "R-DET",
        "Of all shifted frames that hurt the segmentation, few are missed at the threshold.",
        ("ai-verification", "sotif-known", "sotif-triggers", "rta-coverage"),
        EVALUATE,
        evaluation_measures.missed_frames,
        limit_of(MISSED),
        tests=(
            "tests/export/evaluation/test_hurting.py::"
            "test_hurting_split_of_any_cells_equals_scikit_learn_over_the_frames",
        ),
    ),
)

INDEPENDENCE = (
    Requirement(
        "R-DRV-1",
        "The in-distribution frames of the evaluation are of enough independent drives to tell how drives differ.",
        ("ai-data", "sotif-strategy"),
        EVALUATE,
        evaluation_measures.effective_drives,
        limit_of(FEWEST_DRIVES),
        side="at least",
        tests=(
            "tests/export/evaluation/test_evaluate.py::test_evaluate_of_few_drives_prints_no_interval_and_says_why",
        ),
    ),
    Requirement(
        "R-DRV-2",
        "The calibration has enough drives for the declared rate to be kept on a new one.",
        ("ai-data", "sotif-strategy"),
        EXPORT,
        calibration_measures.calibration_drives,
        calibration_measures.enough_drives,
        side="at least",
        tests=(
            "tests/export/calibration/test_conformal.py::"
            "test_set_threshold_by_drives_that_differ_holds_the_rate_on_new_ones",
        ),
    ),
    Requirement(
        "R-DAT-1",
        "No in-distribution frame of the evaluation fitted the detector or set its thresholds.",
        ("ai-data", "ai-verification"),
        EVALUATE,
        evaluation_measures.used_frames,
        limit_of(0),
        tests=(
            "tests/export/evaluation/test_evaluate.py::test_evaluate_of_frames_that_calibrated_the_bundle_counts_them",
        ),
    ),
    Requirement(
        "R-DAT-2",
        "The detector was fitted on none of the shifts that it is judged on.",
        ("ai-data", "ai-verification"),
        EVALUATE,
        evaluation_measures.fitted_shifts,
        limit_of(0),
        tests=(
            "tests/export/evaluation/test_report_page.py::test_summary_of_a_detector_fitted_on_other_shifts_says_so",
        ),
    ),
    Requirement(
        "R-DAT-3",
        "The calibration gives no reason not to rely on its thresholds.",
        ("ai-data", "sotif-design"),
        EXPORT,
        calibration_measures.calibration_warnings,
        limit_of(0),
        tests=(
            "tests/export/frames/test_overlap.py::test_check_overlap_with_a_drive_of_the_training_set_names_it",
            "tests/export/calibration/test_calibrate.py::test_calibrate_with_a_drive_that_differs_warns",
        ),
    ),
)

ANSWERS = (
    Requirement(
        "R-ANS-1",
        "The interval of the expected quality holds the true quality as often as the bundle promises.",
        ("ai-requirements", "ai-verification", "rta-monitor"),
        EVALUATE,
        answer_measures.quality_covered,
        answer_measures.promised_coverage,
        side="at least",
        criterion="interval",
        tests=(f"{_RUNTIME}/test_answers.py::test_assess_of_a_bundle_that_answers_gives_what_is_computed_by_hand",),
        concerns=answers_with(lambda answers: answers.quality),
    ),
    Requirement(
        "R-ANS-2",
        "The set of causes holds the true cause of a degradation of a known kind as often as the bundle promises.",
        ("ai-requirements", "ai-verification"),
        EVALUATE,
        answer_measures.cause_sets,
        answer_measures.promised_causes,
        side="at least",
        criterion="interval",
        tests=(f"{_RUNTIME}/test_answers.py::test_answer_rule_on_any_numbers_of_a_graph_answers_or_says_unknown",),
        concerns=answers_with(lambda answers: answers.cause),
    ),
    Requirement(
        "R-ANS-3",
        "As many clean frames have no abnormal tile as the bundle promises.",
        ("ai-requirements", "ai-verification"),
        EVALUATE,
        answer_measures.clean_tiles,
        answer_measures.promised_tiles,
        side="at least",
        criterion="interval",
        tests=(f"{_RUNTIME}/test_abnormal_tiles.py::test_assess_tells_the_tiles_above_the_limit_and_their_neighbours",),
        concerns=answers_with(lambda answers: answers.tiles),
    ),
    Requirement(
        "R-ANS-4",
        "No more clean frames show an unknown object than the bundle allows.",
        ("ai-requirements", "ai-verification"),
        EVALUATE,
        answer_measures.false_objects,
        answer_measures.promised_objects,
        criterion="interval",
        tests=(
            f"{_RUNTIME}/test_unknown_objects.py::"
            "test_assess_gives_the_map_and_the_regions_above_the_limit_with_the_classes_under_them",
        ),
        concerns=answers_with(lambda answers: answers.map),
    ),
)

TIMING = (
    Requirement(
        "R-TMP-1",
        "The alarm is raised soon enough after every frame has left the distribution.",
        ("sotif-measures", "rta-switch"),
        ALARM,
        alarm_measures.alarm_delay,
        tests=(f"{_STREAM}/test_policies.py::test_policy_shift_raises_the_alarm_at_its_delay",),
    ),
    Requirement(
        "R-TMP-2",
        "Alarms in distribution are rare enough to be acted on.",
        ("sotif-measures", "rta-switch"),
        ALARM,
        alarm_measures.alarms_an_hour,
        alarm_measures.asked_rate,
        tests=(f"{_STREAM}/test_false_alarms.py::test_choose_alarm_calibrations_that_are_drawn_keep_the_rate",),
    ),
    Requirement(
        "R-LAT-1",
        "On the target a verdict takes little longer than the bare network.",
        ("ai-requirements", "ai-architecture"),
        CERTIFY,
        provider_measures.latency_ratio,
        limit_of(LATENCY_RATIO),
        tests=(f"{_RUNTIME}/cli/test_certify.py::test_certify_times_the_bare_network_beside",),
    ),
    Requirement(
        "R-LAT-2",
        "On the target a verdict comes within the deadline of the function that uses it, in milliseconds.",
        ("ai-requirements", "rta-switch"),
        CERTIFY,
        provider_measures.slowest_frames,
        tests=(
            f"{_RUNTIME}/test_states.py::test_deadline_exceeded_changes_the_state_of_a_frame_below_the_threshold_alone",
            f"{_STREAM}/test_latest_frame.py::test_worker_waiting_time_counts_towards_the_deadline",
        ),
    ),
)

_BEFORE_SHIFTS = (*FALSE_ALARMS, *DETECTION)
_AFTER_SHIFTS = (*INDEPENDENCE, *ANSWERS, *TIMING, *INTEGRITY, *INPUTS)

REQUIREMENTS = (*_BEFORE_SHIFTS, *_AFTER_SHIFTS)
"""Every requirement but those of single shifts."""


def requirement_of_shift(identifier: str, name: str) -> Requirement:
    """The requirement on one kind of degradation, or on one real shift."""
    return Requirement(
        identifier,
        f"Of the frames of {name} that hurt the segmentation, few are missed at the threshold.",
        ("ai-verification", "sotif-known", "sotif-triggers", "rta-coverage"),
        EVALUATE,
        evaluation_measures.missed_of(name),
        limit_of(MISSED),
        tests=(
            "tests/export/evaluation/test_hurting.py::"
            "test_blind_spots_are_shifts_that_hurt_and_are_missed_those_known_to_hurt_first",
        ),
    )


def requirements(sources: EvidenceSources) -> list[Requirement]:
    """Every requirement that concerns the bundle or that the team names, with those of the shifts of the report.

    A shift that the team names is required, whether the report has it or not.
    """
    shifts = evaluation_measures.shift_ids(sources)
    named = [name for name in sources.team.claims if name.startswith("R-DET-") and name not in shifts]
    shifts |= {name: name.removeprefix("R-DET-").lower().replace("-", "_") for name in named}
    detection = [requirement_of_shift(identifier, name) for identifier, name in shifts.items()]
    asked = sources.team.claims
    before, after = (
        [row for row in rows if row.concerns(sources) or row.id in asked] for rows in (_BEFORE_SHIFTS, _AFTER_SHIFTS)
    )
    return [*before, *detection, *after]

# SPDX-License-Identifier: Apache-2.0
"""The catalogue of requirements on integrity, parity and inputs: of the bundle, the target, and frames that are none."""

from export.evidence import calibration_measures, provider_measures
from export.evidence.answer_measures import answers_with
from export.evidence.requirement import CERTIFY, EXPORT, Requirement, limit_of
from export.precision.options import PrecisionOptions

_RUNTIME, _STREAM = "tests/lsood_runtime", "tests/lsood_runtime/stream"

INTEGRITY = (
    Requirement(
        "R-INT-1",
        "Every file of the bundle has the digest that its manifest records.",
        ("ai-tools", "rta-monitor"),
        measure=calibration_measures.changed_files,
        declared=limit_of(0),
        tests=(
            f"{_RUNTIME}/bundle/test_digests.py::test_bundle_with_any_byte_of_any_file_changed_is_refused",
            f"{_RUNTIME}/bundle/test_digests.py::test_bundle_with_any_byte_of_the_manifest_or_its_digest_changed_is_refused",
        ),
    ),
    Requirement(
        "R-INT-2",
        "On the target the golden frames get their scores back within the tolerance.",
        ("ai-tools", "ai-verification", "rta-monitor"),
        CERTIFY,
        provider_measures.golden_score,
        limit_of(1),
        tests=(
            f"{_RUNTIME}/test_monitor.py::test_self_test_other_golden_score_refuses_the_bundle_unless_switched_off",
            f"{_RUNTIME}/cli/test_selftest.py::test_selftest_right_and_wrong_scores_set_the_exit_code",
            "tests/export/bundle/test_golden_classes.py::test_self_test_of_other_classes_with_the_same_scores_is_refused",
        ),
    ),
    Requirement(
        "R-INT-3",
        "A bundle that another party made or changed is refused where a signature is asked for.",
        ("ai-tools", "ai-operation"),
        tests=(
            f"{_RUNTIME}/bundle/test_signature.py::test_bundle_that_someone_else_sealed_is_refused",
            f"{_RUNTIME}/bundle/test_signature.py::test_unsigned_bundle_is_refused_where_a_signature_is_asked_for",
        ),
    ),
    Requirement(
        "R-INT-4",
        "A frame has the same score whatever was scored before it, in any thread and process.",
        ("ai-verification", "rta-monitor"),
        tests=(f"{_RUNTIME}/test_monitor.py::test_score_any_order_thread_and_process_has_the_same_bits",),
    ),
    Requirement(
        "R-PAR-1",
        "The scores of the graphs are those of the PyTorch network but for rounding.",
        ("ai-tools", "ai-verification"),
        EXPORT,
        calibration_measures.score_parity,
        limit_of(1),
        tests=("tests/export/bundle/test_parity_check.py::test_check_parity_of_one_large_difference_is_refused",),
    ),
    Requirement(
        "R-PAR-2",
        "The class maps of the graphs are those of the PyTorch network but for rounding.",
        ("ai-tools", "ai-verification"),
        EXPORT,
        calibration_measures.class_parity,
        limit_of(calibration_measures.MOST_CHANGED_CLASSES),
        tests=(
            "tests/export/bundle/test_parity_check.py::test_check_parity_leaves_near_ties_out_unless_they_are_many",
        ),
        concerns=lambda sources: sources.manifest.segmentation.kind != "none",
    ),
    Requirement(
        "R-PRE-1",
        "Fewer bits change few decisions.",
        ("ai-tools", "ai-verification"),
        EXPORT,
        calibration_measures.precision_flips,
        limit_of(PrecisionOptions().max_flips),
        tests=("tests/export/precision/test_precision.py::test_gate_loss_of_two_decisions_equals_counting",),
        concerns=lambda sources: sources.manifest.precision.kind != "fp32",
    ),
    Requirement(
        "R-PRV-1",
        "On the target's provider decisions are those of the CPU provider, on which the thresholds were set.",
        ("ai-tools", "ai-verification", "rta-monitor"),
        CERTIFY,
        provider_measures.flipped_decisions,
        provider_measures.allowed_flips,
        tests=(
            f"{_RUNTIME}/cli/test_certify.py::test_certify_counts_flips_and_pixels_of_a_provider_that_changes_them",
        ),
    ),
    Requirement(
        "R-PRV-2",
        "On the target's provider class maps are those of the CPU provider.",
        ("ai-tools", "ai-verification"),
        CERTIFY,
        provider_measures.changed_classes,
        provider_measures.allowed_classes,
        tests=(
            f"{_RUNTIME}/cli/test_certify.py::test_certify_counts_flips_and_pixels_of_a_provider_that_changes_them",
        ),
        concerns=lambda sources: sources.manifest.segmentation.kind != "none",
    ),
    Requirement(
        "R-PRV-3",
        "Every check of the target's certificate holds.",
        ("ai-tools", "ai-verification"),
        CERTIFY,
        provider_measures.failed_checks,
        limit_of(0),
        tests=(f"{_RUNTIME}/cli/test_certify.py::test_certify_number_that_one_provider_alone_gives_fails",),
    ),
)

INPUTS = (
    Requirement(
        "R-VAL-1",
        "A frame that breaks the input contract, or shows a black, saturated or blank camera, is called invalid.",
        ("ai-architecture", "sotif-triggers", "rta-inputs"),
        tests=(
            f"{_RUNTIME}/test_states.py::test_assess_bad_frame_is_invalid_with_a_reason",
            f"{_RUNTIME}/inference/test_frame_check.py::test_camera_fault_shared_by_most_pixels_is_named",
            f"{_RUNTIME}/inference/test_blank_tiles.py::test_dead_half_of_a_picture_is_found_where_it_is",
        ),
    ),
    Requirement(
        "R-VAL-2",
        "No frame makes the verdict raise an error, and none whose score is no number counts as in distribution.",
        ("ai-architecture", "rta-inputs", "rta-monitor"),
        tests=(
            f"{_RUNTIME}/test_states.py::test_assess_fuzzed_frames_give_a_state_or_our_own_error",
            f"{_RUNTIME}/test_monitor.py::test_score_not_a_number_is_above_every_threshold",
            f"{_RUNTIME}/test_states.py::test_state_gravity_late_never_hides_something_graver",
        ),
    ),
    Requirement(
        "R-VAL-3",
        "A camera that freezes, as a whole or in part, is called invalid in time.",
        ("sotif-triggers", "rta-inputs"),
        tests=(
            f"{_STREAM}/test_frozen.py::test_stream_camera_that_replays_its_buffers_is_frozen_by_time",
            f"{_STREAM}/test_faulty_tiles.py::test_stream_half_that_freezes_is_invalid_by_time_and_frames",
        ),
    ),
    Requirement(
        "R-VAL-4",
        "A camera that falls silent is reported and raises its alarm.",
        ("sotif-triggers", "rta-inputs", "rta-switch"),
        tests=(f"{_STREAM}/test_cameras.py::test_stream_silent_camera_raises_its_alarm_and_clears_it_when_it_is_back",),
    ),
    Requirement(
        "R-VAL-5",
        "No time stamp lowers a standing alarm, and stamps that no clock gives are called invalid.",
        ("sotif-triggers", "rta-inputs", "rta-switch"),
        tests=(
            f"{_STREAM}/test_clocks.py::test_stream_any_stamps_never_lower_an_alarm_for_a_frame_out_of_distribution",
            f"{_STREAM}/test_clocks.py::test_stream_stamp_that_no_clock_gives_is_invalid",
        ),
    ),
    Requirement(
        "R-FLD-1",
        "A degradation that creeps in over many frames raises the alarm on the expected quality.",
        ("ai-operation", "sotif-operation", "rta-monitor"),
        tests=(
            f"{_STREAM}/test_quality_drift.py::"
            "test_stream_of_a_degradation_that_creeps_in_raises_the_quality_alarm_before_it_is_at_its_worst",
        ),
        concerns=answers_with(lambda answers: answers.quality),
    ),
    Requirement(
        "R-FLD-2",
        "The monitor runs for long without growing, and writes to no file and no network by itself.",
        ("ai-operation", "sotif-operation"),
        tests=(
            f"{_RUNTIME}/test_soak.py::test_monitor_twenty_thousand_frames_keeps_its_memory",
            "tests/test_telemetry.py::test_scoring_by_default_leaves_no_file_below_the_home_folder",
        ),
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""The catalogue of assumptions of use: what whoever builds the monitor in keeps, and without which no claim holds."""

from export.evidence.answer_measures import answers_with
from export.evidence.pack_names import FIGURES
from export.evidence.sources import EvidenceSources
from export.evidence.statement import Statement, at, text_at
from lsood_runtime.offline import MANIFEST_FILE, counted, pixels_sentence

_RUNTIME, _STREAM = "tests/lsood_runtime", "tests/lsood_runtime/stream"


def _frame(sources: EvidenceSources) -> str:
    contract = sources.manifest.input
    return f"{contract.frame_height} x {contract.frame_width} pixels (height x width), uint8, {contract.channels}"


def _calibration(sources: EvidenceSources) -> str:
    calibration = sources.manifest.calibration
    return (
        f"{calibration.source}; {counted(len(calibration.drives), 'drive')}, {counted(len(calibration.scores), 'frame')} "
        f"worth {calibration.effective_frames:.0f} independent ones"
    )


def _warnings(sources: EvidenceSources) -> str:
    return " ".join(f"{warning}." for warning in sources.manifest.calibration.warnings) or "none"


def _hurting_rule(sources: EvidenceSources) -> str:
    return str(sources.at(FIGURES, "/hurting/rule") or "")


ASSUMPTIONS = (
    Statement(
        "AoU-CAM-1",
        "assumption",
        "Frames come from the camera of the calibration, with its lens, place, exposure and coding.",
        ("sotif-design", "ai-data", "rta-inputs"),
        "Calibrate again after a change of the camera, and compare drives with the calibration by the drift index.",
        (text_at("frame", MANIFEST_FILE, "/input", _frame),),
        (f"{_RUNTIME}/test_states.py::test_assess_bad_frame_is_invalid_with_a_reason",),
        ("docs/results/camvid.md#What it says", "docs/how-to/alarms.md#Follow drift"),
    ),
    Statement(
        "AoU-CAM-2",
        "assumption",
        "Pixels reach the monitor as they were at calibration: the same channel order, bits, range and decoding.",
        ("rta-inputs", "ai-data"),
        "Read frames by the bundle's own record of pixels, or compare a few decoded frames of both byte by byte.",
        (text_at("pixels", MANIFEST_FILE, "/pixels", lambda sources: pixels_sentence(sources.manifest.pixels)),),
        (f"{_RUNTIME}/inference/test_frame_check.py::test_check_frame_other_channel_order_is_turned",),
        ("docs/how-to/input.md#Match the network's input",),
    ),
    Statement(
        "AoU-DAT-1",
        "assumption",
        "Calibration and evaluation frames are of drives like those of the use: roads, weather, times of day and seasons.",
        ("ai-data", "sotif-strategy", "sotif-design"),
        "State the operational design domain, and show that the drives cover it; nothing here can.",
        (
            text_at("calibration", MANIFEST_FILE, "/calibration", _calibration),
            at("in-distribution frames evaluated", FIGURES, "/ind/frames"),
        ),
        (
            "tests/export/calibration/test_conformal.py::"
            "test_set_threshold_by_frames_of_few_drives_exceeds_the_rate_on_new_ones",
        ),
        ("docs/concepts/thresholds.md#What is proven",),
    ),
    Statement(
        "AoU-DAT-2",
        "assumption",
        "No calibration or evaluation frame was used to train the network.",
        ("ai-data",),
        "Keep drives apart from the first recording on; name the training frames at the export, which then compares them.",
        (text_at("warnings of the calibration", MANIFEST_FILE, "/calibration/warnings", _warnings),),
        ("tests/export/frames/test_overlap.py::test_check_overlap_with_a_drive_of_the_training_set_names_it",),
        ("docs/how-to/calibrate.md#How many frames and drives",),
    ),
    Statement(
        "AoU-DAT-3",
        "assumption",
        "Labels of the evaluation are right, and their classes are those of the network.",
        ("ai-data", "ai-verification"),
        "Have labels reviewed; which frames hurt, and the true quality, follow from them.",
        (text_at("what hurts is told by", FIGURES, "/hurting/rule", _hurting_rule),),
        (
            "tests/export/evaluation/test_evaluate.py::test_evaluate_with_labels_of_unknown_ids_or_some_frames_is_refused",
        ),
    ),
    Statement(
        "AoU-RTA-1",
        "assumption",
        "The function reacts to every state but OK, and has a safe reaction that does not need the network's segmentation.",
        ("rta-switch", "rta-recovery", "sotif-measures"),
        "Design and verify the recovery: the monitor only tells that the network should not be relied on.",
        (),
        (f"{_RUNTIME}/test_states.py::test_state_gravity_late_never_hides_something_graver",),
        ("docs/how-to/runtime.md#Score a frame",),
    ),
    Statement(
        "AoU-RTA-2",
        "assumption",
        "A verdict that does not come, or comes late, is treated as a loss of the monitor.",
        ("rta-switch", "rta-monitor"),
        "Supervise the process from outside it, and call for silent cameras from a timer of your own.",
        (),
        (
            f"{_STREAM}/test_cameras.py::test_stream_silent_camera_raises_its_alarm_and_clears_it_when_it_is_back",
            f"{_STREAM}/test_latest_frame.py::test_worker_failing_provider_reaches_the_caller",
        ),
        ("docs/how-to/latency.md#The contract",),
    ),
    Statement(
        "AoU-INT-1",
        "assumption",
        "The vehicle loads the bundle that was approved, and checks its digest or its signature.",
        ("ai-tools", "ai-operation"),
        "Pass the manifest's digest, which this pack states, or the public key where the bundle is opened.",
        (),
        (f"{_RUNTIME}/bundle/test_digests.py::test_expected_digest_covers_the_whole_bundle",),
        ("docs/how-to/signing.md#Verify in the vehicle",),
    ),
    Statement(
        "AoU-INT-2",
        "assumption",
        "The self-test runs on the target's provider at every start, and its failure keeps the monitor from being used.",
        ("ai-tools", "rta-monitor"),
        "Leave the self-test on, and run it again after an update of driver, provider or ONNX Runtime.",
        (),
        (f"{_RUNTIME}/test_monitor.py::test_self_test_other_golden_score_refuses_the_bundle_unless_switched_off",),
        ("docs/how-to/runtime.md#Check a machine before the drive",),
    ),
    Statement(
        "AoU-TIM-1",
        "assumption",
        "Stamps of a camera are of one clock that goes forward, and frames come at about the rate of the calibration.",
        ("rta-inputs", "sotif-triggers"),
        "Take stamps at the sensor; state the frame rate for which the alarm was chosen.",
        (),
        (f"{_STREAM}/test_clocks.py::test_stream_clock_that_keeps_going_back_is_invalid_and_hides_nothing",),
        ("docs/how-to/alarms.md#Clocks",),
    ),
    Statement(
        "AoU-ANS-1",
        "assumption",
        "Whoever uses the answers beside the score treats 'unknown' as an answer, not as 'nothing is wrong'.",
        ("ai-requirements", "rta-switch"),
        "Decide for each answer what 'unknown' means for the function.",
        (),
        (f"{_RUNTIME}/test_answers.py::test_assess_frame_that_no_graph_saw_is_unknown",),
        ("docs/how-to/answers.md#When it does not know",),
        answers_with(lambda answers: answers),
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""The catalogue of limits: for what the claims of a pack are made, and for what they are not."""

from collections.abc import Sequence

from export.evidence.answer_measures import answers_with
from export.evidence.calibration_measures import expected_rate
from export.evidence.claims import EvidenceFigure
from export.evidence.pack_names import CERTIFICATE, FIGURES
from export.evidence.sources import EvidenceSources, UnmeasuredError
from export.evidence.statement import Statement, at, text_at
from lsood_runtime.offline import MANIFEST_FILE, operating_point_sentence, precision_sentence

_PROMISES = "docs/reference/promises.md#What is promised"


def _point(sources: EvidenceSources) -> str:
    name = sources.operating_point
    return f"{name}: {operating_point_sentence(sources.manifest.operating_points[name])}"


def _folds(sources: EvidenceSources) -> str:
    folds = sources.manifest.operating_points[sources.operating_point].folds
    return f"{folds} folds" if folds else "none: drives of their own set the threshold"


def _expected(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
    try:
        return expected_rate(sources)
    except UnmeasuredError:
        return ()


def _shifts(sources: EvidenceSources) -> str:
    return ", ".join(str(row.get("name")) for row in sources.rows(FIGURES, "/shifts"))


def _kinds(sources: EvidenceSources) -> str:
    answers = sources.manifest.answers
    return "" if answers is None else ", ".join(answers.kinds)


def _machine(sources: EvidenceSources) -> str:
    machine, provider = (sources.at(CERTIFICATE, f"/{name}") for name in ("machine", "provider"))
    if not isinstance(machine, dict) or not isinstance(provider, dict):
        return ""
    return (
        f"{provider.get('name')} on {machine.get('processor')}, {machine.get('cores')} cores, {machine.get('system')}"
    )


def _masks(sources: EvidenceSources) -> str:
    masks = sources.manifest.masks
    return f"{masks.count} {masks.mode} masks, seed {masks.seed}"


LIMITS = (
    Statement(
        "L-RATE-1",
        "limit",
        "The declared rate of false alarms is a mean over calibrations, for exchangeable frames or drives; this very "
        "threshold has a rate of its own within the stated interval.",
        ("ai-requirements", "sotif-strategy"),
        "Plan with the upper end of the interval on new drives, not with the target.",
        (text_at("operating point", MANIFEST_FILE, "/operating_points", _point), _expected),
        ("tests/examples/test_promises.py::test_promises_of_few_calibrations_hold_up_to_chance",),
        (_PROMISES,),
    ),
    Statement(
        "L-RATE-2",
        "limit",
        "After a cross-fit bounds are proven for the detectors of the folds, and nothing is proven of the one that ships.",
        ("ai-requirements",),
        "Where a proof is needed, name drives for the threshold alone at the export.",
        (text_at("cross-fit", MANIFEST_FILE, "/operating_points", _folds),),
        (
            "tests/export/calibration/test_calibrate.py::test_calibrate_scores_each_fold_by_a_detector_that_never_saw_it",
        ),
        ("docs/concepts/thresholds.md#What is proven",),
    ),
    Statement(
        "L-FRM-1",
        "limit",
        "The score is of one whole frame; over time nothing is claimed but by the alarm, and correlated frames tell less "
        "than their number.",
        ("sotif-strategy", "rta-monitor"),
        "Judge alarms and drives, not single frames.",
        (at("independent frames of the calibration", MANIFEST_FILE, "/calibration/effective_frames"),),
        ("tests/export/calibration/test_conformal.py::test_set_threshold_of_correlated_frames_widens_the_interval",),
        (_PROMISES,),
    ),
    Statement(
        "L-SHF-1",
        "limit",
        "Detection is claimed of the shifts that were evaluated, at their severities; synthetic degradations stand for real "
        "ones only as far as they look alike.",
        ("sotif-known", "sotif-unknown", "ai-verification"),
        "Record real shifts of the camera, and evaluate them beside the synthetic ones.",
        (text_at("shifts evaluated", FIGURES, "/shifts", _shifts),),
        ("tests/export/anomalies/test_kinds.py::test_kind_at_a_higher_severity_is_worse_by_error_and_similarity",),
        ("docs/reference/degradations.md#Beside photographs",),
    ),
    Statement(
        "L-INT-1",
        "limit",
        "Intervals of the evaluation hold for new drives of the same kind, and are given from ten drives of equal size on.",
        ("ai-verification", "sotif-strategy"),
        "Evaluate on many short drives rather than on few long ones.",
        (at("in-distribution frames", FIGURES, "/ind/frames"),),
        ("tests/export/evaluation/test_evaluate.py::test_evaluate_of_few_drives_prints_no_interval_and_says_why",),
        ("docs/reference/promises.md#Intervals of an evaluation",),
    ),
    Statement(
        "L-ANS-1",
        "limit",
        "Causes are told among the kinds of the fit; of any other the answer should be 'unknown', and is not always.",
        ("sotif-unknown", "ai-requirements"),
        "Evaluate with kinds that are not in the fit, and read their rows.",
        (text_at("kinds of the fit", MANIFEST_FILE, "/answers/kinds", _kinds),),
        ("tests/lsood_runtime/test_answers.py::test_answer_rule_on_any_numbers_of_a_graph_answers_or_says_unknown",),
        ("docs/results/answers.md#What is not reached",),
        answers_with(lambda answers: answers.cause),
    ),
    Statement(
        "L-LAT-1",
        "limit",
        "Latency and parity were measured on the machine and provider of the certificate alone, with nothing else running as "
        "far as that was so.",
        ("ai-tools", "ai-architecture"),
        "Certify on the target, under the load of the vehicle.",
        (text_at("machine", CERTIFICATE, "/machine", _machine),),
        (
            "tests/lsood_runtime/certificate/test_figures.py::test_take_turns_times_each_call_and_leaves_the_first_rounds_out",
        ),
        ("docs/how-to/certify.md#The document", "docs/reference/cuda.md#What is not checked"),
    ),
    Statement(
        "L-PRC-1",
        "limit",
        "Every figure holds for the bundle's own precision and masks.",
        ("ai-tools",),
        "Evaluate and certify each bundle that ships.",
        (
            text_at(
                "precision", MANIFEST_FILE, "/precision", lambda sources: precision_sentence(sources.manifest.precision)
            ),
            text_at("masks", MANIFEST_FILE, "/masks", _masks),
        ),
        ("tests/lsood_runtime/test_monitor.py::test_score_any_order_thread_and_process_has_the_same_bits",),
        ("docs/how-to/precision.md#The gate",),
    ),
)

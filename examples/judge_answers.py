# SPDX-License-Identifier: Apache-2.0
"""Judge expected quality, cause and severity on drives, and on kinds of degradation, that no fit has seen.

    python examples/judge_answers.py measure BUNDLE --frames MONITOR/ --labels LABELS/ --group-by prefix --out fit.npz
    python examples/judge_answers.py measure BUNDLE --frames VAL/ --labels VAL_LABELS/ --group-by prefix --out judged.npz
    python examples/judge_answers.py judge fit.npz judged.npz --scatter quality.png

`measure` degrades frames and runs them through the bundle's graphs, clean and degraded; without --labels the quality is the
agreement with the clean frame's class map. `judge` fits answers on the first file, as an export does, and judges them on the
second: once on all kinds, and each kind by answers that were fitted without it. It prints Markdown tables.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from export.answers.fit import FittedAnswers, answer_keys, fit_answers
from export.answers.rows import DegradedRows
from export.calibration.degraded_rows import Labels, measure_degraded
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.measuring import MeasuredFrame
from export.evaluation.failure_prediction import risk_coverage
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.labels import label_files
from export.reporter import SILENT
from lsood_runtime.offline import CAUSES, NO_CAUSE, NOVELTY, QUALITY, SEVERITY

Floats = NDArray[np.float64]
BOTH = frozenset({"quality", "cause"})
SURE = 0.9
UNKNOWN = "unknown"
FEATURE, TAPS = "feature:", "taps"

ALIKE: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            {"night", "under_exposure", "dusk"},
            {"over_exposure", "sun_flare", "veiling_glare", "glare", "fog"},
            {"fog", "veiling_glare", "condensation", "dirt_film", "frost"},
            {"defocus", "motion_blur", "condensation", "jpeg", "video_compression"},
            {"rain", "snow", "drops", "water_streaks"},
            {"snow", "sensor_noise", "night"},
            {"mud", "occlusion", "drops", "dirt_film"},
            {"dead_lines", "torn_frame", "flicker_bands"},
            {"white_balance", "bayer_phase"},
        ),
    )
)
"""Kinds that look alike: one of them told for another is a sensible neighbour."""


@dataclass(frozen=True, eq=False)
class Told:
    """What answers tell of N frames, as the runtime tells it.

    Attributes:
        quality: ``(N, 3)`` expected, lower and upper end, also where it is unknown.
        known: ``(N,)`` whether the frame is nearer than the limit.
        at_most: ``(N,)`` upper end that is told where it is not.
        cause: ``(N,)`` most probable cause, or ``unknown``.
        probability: ``(N,)`` of it; 0 where it is unknown.
        severity: ``(N,)``.
        holds: ``(N,)``, whether the set of causes has the true one; False where that is no cause of the fit.
    """

    quality: Floats
    known: NDArray[np.bool_]
    at_most: Floats
    cause: NDArray[np.str_]
    probability: Floats
    severity: Floats
    holds: NDArray[np.bool_]


def tell(answers: FittedAnswers, rows: DegradedRows) -> Told:
    """Tell quality and cause of frames."""
    outputs, record = answers.outputs(rows.values), answers.record
    if record.cause is None or record.quality is None or record.novelty_limit is None:
        raise SystemExit("expected rows with a segmentation, got some without: measure a bundle that segments")
    names, shares = np.array(record.cause.names), outputs[CAUSES]
    known = outputs[NOVELTY] <= record.novelty_limit
    named = known & (shares.max(axis=1) >= record.cause.set_threshold)
    cause = np.where(named, names[shares.argmax(axis=1)], UNKNOWN)
    true = (names[None] == rows.kind[:, None]) & (shares >= record.cause.set_threshold)
    return Told(
        outputs[QUALITY],
        known,
        np.full(len(rows), record.quality.at_most),
        cause,
        np.where(named, shares.max(axis=1), 0.0),
        np.where(cause == NO_CAUSE, 0.0, outputs[SEVERITY]),
        true.any(axis=1) & known,
    )


def tell_kinds_left_out(fit: DegradedRows, judged: DegradedRows, taps: Sequence[str], all_kinds: Told) -> Told:
    """Tell of each kind by answers that were fitted without it; of clean frames what is told of them in ``all_kinds``."""
    fields = {name: np.array(values) for name, values in vars(all_kinds).items()}
    fields["cause"] = fields["cause"].astype(object)
    for kind in sorted(set(judged.kind.tolist()) - {NO_CAUSE}):
        own = judged.kind == kind
        told = tell(fit_answers(fit.chosen(fit.kind != kind), BOTH, 0, taps), judged.chosen(own))
        for name, values in vars(told).items():
            fields[name][own] = values
    return Told(**fields | {"cause": fields["cause"].astype(str)})


def aurc(scores: Floats, quality: Floats) -> float:
    """Area under the risk-coverage curve of the quality."""
    return float(risk_coverage(scores, quality).mean())


def quality_lines(told: Told, judged: DegradedRows) -> Iterator[str]:
    """Yield the lines of a table of the expected quality and its interval."""
    truth = np.asarray(judged.quality)
    expected, low, high = told.quality.T
    inside = (low <= truth) & (truth <= high)
    as_told = np.where(told.known, inside, truth <= told.at_most)
    kinds = np.unique(judged.kind)
    single = {
        str(key): aurc(np.asarray(numbers[:, 0], np.float64), truth)
        for key, numbers in judged.values.items()
        if key.aggregate is not None
    }
    best = min(single, key=lambda name: single[name])
    errors, constant_errors = np.abs(expected - truth), np.abs(truth - np.median(truth))
    explained = 1 - (errors**2).mean() / truth.var()
    left, most = aurc(-expected, truth), aurc(-truth, truth)
    unknown = ~told.known
    yield f"- frames: {len(truth)}, unknown {unknown.mean():.3f}, of clean ones {clean_share(unknown, judged):.3f}"
    yield f"- mean absolute error {errors.mean():.4f}, of a constant {constant_errors.mean():.4f}"
    yield f"- Spearman {spearmanr(expected, truth).statistic:.3f}, R2 {explained:.3f}"
    yield f"- AURC {left:.4f}, oracle {most:.4f}, best single score {single[best]:.4f} ({best})"
    for name, held in (("interval alone", inside), ("interval, or at most x where unknown", as_told)):
        worst = min(kinds, key=lambda kind: held[judged.kind == kind].mean())
        yield f"- {name}: covers {held.mean():.3f}, worst kind {worst} {held[judged.kind == worst].mean():.3f}"
    constant = np.diff(np.quantile(truth, [0.05, 0.95]))[0]
    yield f"- median width {np.median(high - low):.3f}, of a constant's interval {constant:.3f}"


def clean_share(hits: NDArray[np.bool_], judged: DegradedRows) -> float:
    """Share of the clean frames."""
    return float(hits[judged.kind == NO_CAUSE].mean())


def cause_lines(told: Told, judged: DegradedRows) -> Iterator[str]:
    """Yield a table of causes by severity, on kinds that the fit has seen."""
    right = told.cause == judged.kind
    named, true_severity = told.cause != UNKNOWN, np.maximum(judged.severity, 0)
    yield "| severity (negative: changed harmlessly) | right | unknown | set of causes holds it | error of the severity |"
    yield "|---|---|---|---|---|"
    for severity in np.unique(judged.severity):
        own = judged.severity == severity
        error = np.abs(told.severity - true_severity)[own & named].mean()
        shares = " | ".join(f"{share[own].mean():.3f}" for share in (right, ~named, told.holds))
        yield f"| {severity} | {shares} | {error:.2f} |"
    wrong = Counter(zip(judged.kind[~right].tolist(), told.cause[~right].tolist(), strict=True))
    yield ""
    yield "- most often wrong: " + ", ".join(f"{kind} called {cause} {n}" for (kind, cause), n in wrong.most_common(8))
    yield f"- error of the severity over all: {np.abs(told.severity - true_severity)[named].mean():.3f}"


def kind_lines(told: Told, judged: DegradedRows) -> Iterator[str]:
    """Yield a table of kinds, each told by answers that were fitted without it."""
    truth = np.asarray(judged.quality)
    expected, low, high = told.quality.T
    inside = (low <= truth) & (truth <= high)
    alike = np.array([near(kind, cause) for kind, cause in zip(judged.kind, told.cause, strict=True)])
    unknown, none = told.cause == UNKNOWN, told.cause == NO_CAUSE
    other = ~(alike | unknown | none)
    yield "| kind left out | error | covered | unknown | neighbour | none | other | other, sure | called, severity 3 to 5 |"
    yield "|---|---|---|---|---|---|---|---|---|"
    kinds = sorted(set(judged.kind.tolist()) - {NO_CAUSE})
    for name in (*kinds, "all", "severity 3 to 5"):
        own = judged.kind == name if name in kinds else judged.severity >= (1 if name == "all" else 3)
        called = Counter(told.cause[own & (judged.severity >= 3)].tolist()).most_common(2) if name in kinds else []
        shares = [unknown, alike, none, other, other & (told.probability >= SURE)]
        figures = " | ".join(f"{share[own].mean():.2f}" for share in shares)
        words = ", ".join(f"{cause} {n}" for cause, n in called)
        yield f"| {name} | {np.abs(expected - truth)[own].mean():.3f} | {inside[own].mean():.2f} | {figures} | {words} |"


def near(kind: str, cause: str) -> bool:
    """Whether two kinds look alike."""
    return any({kind, cause} <= group for group in ALIKE)


def draw_scatter(told: Told, judged: DegradedRows, file: Path) -> None:
    """Draw expected against true quality, with the interval's ends in bins of the expected one."""
    from matplotlib.figure import Figure

    truth = np.asarray(judged.quality)
    expected, low, high = told.quality.T
    figure = Figure(figsize=(5, 5), dpi=130, layout="constrained")
    axes = figure.add_subplot(
        xlabel=f"expected {judged.measure}", ylabel=f"true {judged.measure}", xlim=(0, 1), ylim=(0, 1), aspect="equal"
    )
    for known, colour, label in ((True, "tab:blue", "known"), (False, "tab:orange", "called unknown")):
        own = told.known == known
        axes.scatter(expected[own], truth[own], s=4, alpha=0.4, color=colour, linewidths=0, label=label)
    order = np.argsort(expected)
    bins = [part for part in np.array_split(order, 20) if len(part)]
    for ends in (low, high):
        axes.plot([expected[b].mean() for b in bins], [ends[b].mean() for b in bins], color="black", linewidth=0.8)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    axes.legend(loc="upper left")
    figure.savefig(file)


def measure(options: argparse.Namespace) -> None:
    """Measure frames clean and degraded, and keep the rows."""
    graphs = EvaluationGraphs(options.bundle, threads=options.threads)
    files = FrameFiles(options.frames, graphs.manifest.input.channels)
    drives = np.array(drive_names(files.paths, options.group_by))
    labels = Labels(label_files(options.labels), tuple(options.ignore_label), graphs.manifest.segmentation.num_classes)
    keys = answer_keys([key for key in graphs.available if key.output != LATENT_SAMPLES], graphs.tap_layers)

    def features_of(frame: NDArray[np.uint8]) -> MeasuredFrame:
        features = graphs(frame)
        return {key: features.values[key] for key in keys}, features.segmentation

    everything = np.arange(len(files.paths))
    rows = measure_degraded(
        files, everything, lambda places: drives[places].tolist(), features_of, labels, options.seed, SILENT
    )
    write_rows(rows, graphs.tap_layers, options.out)


def write_rows(rows: DegradedRows, taps: Sequence[str], file: Path) -> None:
    """Keep rows in a file."""
    stored: dict[str, Any] = {f"{FEATURE}{key}": numbers for key, numbers in rows.values.items()}
    stored |= {name: values for name, values in vars(rows).items() if name != "values" and values is not None}
    np.savez(file, **stored | {TAPS: np.array(taps)})


def read_rows(file: Path) -> tuple[DegradedRows, tuple[str, ...]]:
    """Read rows back, with the names of the taps."""
    with np.load(file) as stored:
        held = {name: stored[name] for name in stored.files}
    values = {FeatureKey.parse(name[len(FEATURE) :]): held[name] for name in held if name.startswith(FEATURE)}
    measure_of = str(held["measure"]) if "measure" in held else None
    rows = DegradedRows(
        values, held["kind"], held["severity"], held["drive"], held["frame"], held.get("quality"), measure_of
    )
    return rows, tuple(held[TAPS].tolist())


def judge(options: argparse.Namespace) -> None:
    """Fit on one file of rows, and judge on the other."""
    (fit, taps), (judged, _) = read_rows(options.fit), read_rows(options.judged)
    answers = fit_answers(fit, BOTH, 0, taps)
    all_kinds = tell(answers, judged)
    print(f"## Expected {judged.measure}, kinds that the fit has seen\n", *quality_lines(all_kinds, judged), sep="\n")
    print("\n## Cause, kinds that the fit has seen\n", *cause_lines(all_kinds, judged), sep="\n")
    left_out = tell_kinds_left_out(fit, judged, taps, all_kinds)
    print(
        f"\n## Expected {judged.measure}, every kind left out of the fit in turn\n",
        *quality_lines(left_out, judged),
        sep="\n",
    )
    print("\n## Kinds left out of the fit\n", *kind_lines(left_out, judged), sep="\n")
    if options.scatter is not None:
        draw_scatter(left_out, judged, options.scatter)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure frames, or judge answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("measure", help="frames to rows")
    one.add_argument("bundle", type=Path)
    one.add_argument("--frames", nargs="+", required=True)
    one.add_argument("--labels", nargs="*", type=Path, default=[])
    one.add_argument("--ignore-label", nargs="*", type=int, default=[255])
    one.add_argument("--group-by", default="none")
    one.add_argument("--threads", type=int)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=measure)
    other = commands.add_parser("judge", help="rows to tables")
    other.add_argument("fit", type=Path)
    other.add_argument("judged", type=Path)
    other.add_argument("--scatter", type=Path, help="picture of expected against true quality")
    other.set_defaults(run=judge)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()

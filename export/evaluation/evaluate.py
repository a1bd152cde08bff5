# SPDX-License-Identifier: Apache-2.0
"""What a bundle tells apart, what it misses, and whether the network fails there: frames of known kinds, scored."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.calibration.conformal import p_values
from export.calibration.features import EvaluationGraphs, Features
from export.detectors.auroc import auroc
from export.detectors.fit import fit_detector
from export.detectors.registry import detectors_on_ind_frames
from export.errors import UsageError
from export.evaluation.bootstrap import share_interval
from export.evaluation.failure_prediction import FailurePrediction, failure_prediction
from export.evaluation.ood_metrics import shift_figures
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation, Moment, Shift
from export.evaluation.scored_sets import FrameSet, label_files, score_set
from export.frames.files import FrameFiles
from export.reporter import SILENT, Reporter
from lsood_runtime import BundleError, Manifest

SHOWN, SHOWN_OF_A_SET = 6, 2


def evaluate(options: EvaluationOptions, reporter: Reporter = SILENT) -> Evaluation:
    """Score every set and relate the scores to the sets and, with labels, to the network's failures.

    Raises:
        UsageError: sets, labels or options that cannot be used.
        BundleError: a damaged bundle, or one without the operating point.
    """
    reporter.stage(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    manifest = graphs.manifest
    point = manifest.operating_point if options.operating_point is None else options.operating_point
    if point not in manifest.operating_points:
        raise BundleError(
            f"expected an operating point of the bundle ({', '.join(manifest.operating_points)}), got {point!r}"
        )
    sources = list(_sources(options, manifest.input.channels))
    labels = label_files(options.labels)
    if labels and manifest.segmentation.kind == "none":
        raise UsageError(
            "expected a bundle with a segmentation to compare with labels, this one has none: drop --labels"
        )
    fit_files = FrameFiles(options.fit_frames, manifest.input.channels) if options.fit_frames else None

    sets = [score_set(graphs, source, labels, options.ignored_labels, reporter) for source in sources]
    ind, others = sets[0], sets[1:]
    peers = dict(_output_peers(ind))
    if fit_files is not None:
        fitted = FrameSource("fit frames", fit_files, tuple(range(len(fit_files))))
        peers |= _fitted_peers(score_set(graphs, fitted, {}, (), reporter).features)

    reporter.stage("figures and intervals")
    threshold = manifest.operating_points[point].value
    calibrated, fitted_ood = calibration_files(manifest)
    shifts = tuple(
        Shift(
            other,
            shift_figures(ind.features.score, other.features.score, threshold, seed=options.seed),
            {name: auroc(score(ind.features), score(other.features)) for name, score in peers.items()},
            other.source.kind is None and _known(other.source, fitted_ood) > 0,
        )
        for other in others
    )
    false_alarms = share_interval(ind.features.score > threshold, ind.features.score)
    failures, accepted = _failures([frames for frames in sets if frames.iou is not None], threshold)
    calibration = np.array(manifest.calibration.scores)
    strangest, familiar = _moments(graphs, sets, calibration)
    return Evaluation(
        options,
        manifest,
        point,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        ind,
        false_alarms,
        _known(ind.source, calibrated),
        shifts,
        failures,
        accepted,
        strangest,
        familiar,
    )


def calibration_files(manifest: Manifest) -> tuple[set[Path], set[Path]]:
    """In- and out-of-distribution files that the bundle was calibrated with, as far as they are where they were then."""
    config = manifest.config
    asked = config.get("recalibration", config)
    paths = asked.get("frames", []) or asked.get("features", [])
    return _files(paths), _files(asked.get("calibration", {}).get("ood_frames", []))


def _files(paths: list[str]) -> set[Path]:
    found: set[Path] = set()
    for path in map(Path, paths):
        found |= {inner.resolve() for inner in path.iterdir()} if path.is_dir() else {path.resolve()}
    return found


def _known(source: FrameSource, files: set[Path]) -> int:
    return sum(path.resolve() in files for path in source.files.paths)


def _sources(options: EvaluationOptions, channels: str) -> Iterator[FrameSource]:
    """In-distribution frames, then real shifts, then synthetic ones by kind and severity."""
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown:
        raise UsageError(f"expected synthetic anomalies among {', '.join(ANOMALIES)}, got {unknown[0]}")
    if not set(options.severities) <= set(SEVERITIES) or options.every < 1 or options.seed < 0:
        raise UsageError("expected severities from 1 to 5, --every of at least 1 and a --seed of at least 0")
    ind = FrameFiles(options.ind, channels)
    yield FrameSource("in distribution", ind, tuple(range(len(ind))))
    for name, paths in options.ood.items():
        files = FrameFiles(paths, channels)
        same = {path.resolve() for path in files.paths} & {path.resolve() for path in ind.paths}
        if same:
            raise UsageError(f"expected other frames as {name} than in distribution, {min(same).name} is in both")
        yield FrameSource(name, files, tuple(range(len(files))))
    for kind in options.kinds:
        for severity in options.severities:
            indices = tuple(range(0, len(ind), options.every))
            yield FrameSource(f"{kind} {severity}", ind, indices, kind, severity, options.seed)


Peer = Callable[[Features], NDArray[np.floating]]


def _output_peers(ind: FrameSet) -> Iterator[tuple[str, Peer]]:
    for name in ind.features.columns():
        yield name, lambda features, name=name: features.columns()[name]  # type: ignore[misc]


def _fitted_peers(fitted: Features) -> dict[str, Peer]:
    """Detectors on the entropies, and on what the tap says without any sampling."""
    peers: dict[str, Peer] = {}
    for rows in ("entropy", "moments"):
        for kind in detectors_on_ind_frames():
            detector = fit_detector(kind, getattr(fitted, rows).astype(np.float64))
            peers[f"{rows}, {kind}"] = lambda features, rows=rows, detector=detector: (
                -detector.score_samples(  # type: ignore[misc]
                    getattr(features, rows).astype(np.float64)
                )
            )
    return peers


def _failures(sets: list[FrameSet], threshold: float) -> tuple[tuple[FailurePrediction, ...], float | None]:
    """Over all labelled frames together: the bundle's score beside the output's own; mIoU of the frames it accepts."""
    if not sets:
        return (), None
    iou = np.concatenate([frames.iou for frames in sets if frames.iou is not None])
    known = np.isfinite(iou)
    score = np.concatenate([frames.features.score for frames in sets])
    columns = [frames.features.columns() for frames in sets]
    scores = {"latent entropy": score} | {
        name: np.concatenate([column[name] for column in columns]).astype(np.float64) for name in columns[0]
    }
    if known.sum() < 2:
        return (), None
    predictions = tuple(failure_prediction(name, values[known], iou[known]) for name, values in scores.items())
    accepted = iou[known & (score <= threshold)]
    return predictions, float(accepted.mean()) if len(accepted) else None


def _moments(
    graphs: EvaluationGraphs, sets: list[FrameSet], calibration: NDArray[np.float64]
) -> tuple[tuple[Moment, ...], tuple[Moment, ...]]:
    """The frames that score highest and lowest, a few of a set at most, looked at once more."""
    places = [(frames, i) for frames in sets for i in range(len(frames.features))]
    scores = np.concatenate([frames.features.score for frames in sets])
    order = np.argsort(scores, kind="stable")

    def moment(place: int) -> Moment:
        frames, i = places[place]
        channels = graphs.manifest.input.channels
        frame = frames.source[i]
        classes = graphs(frame).segmentation
        score = float(scores[place])
        p_value = float(p_values(calibration, np.array([score]))[0])
        image = frame[..., ::-1] if channels == "bgr" else frame
        return Moment(frames.source.name, Path(frames.features.names[i]).name, score, p_value, image, classes)

    def varied(ranked: NDArray[np.int64]) -> tuple[Moment, ...]:
        seen: Counter[str] = Counter()
        chosen: list[Moment] = []
        for place in ranked:
            name = places[place][0].source.name
            seen[name] += 1
            if seen[name] <= SHOWN_OF_A_SET and len(chosen) < SHOWN:
                chosen.append(moment(int(place)))
        return tuple(chosen)

    return varied(order[::-1]), varied(order)

# SPDX-License-Identifier: Apache-2.0
"""What a bundle tells apart, what it misses, and whether the network fails there: frames of known kinds, scored."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.bootstrap import Interval, interval, resample_counts
from export.calibration_frames import Progress
from export.conformal import p_values
from export.data.anomalies import ANOMALIES, SEVERITIES
from export.detector_pipeline import fit_detector
from export.errors import UsageError
from export.evaluation_sets import FrameSet, Source, label_files, score_set
from export.failure_prediction import FailurePrediction, failure_prediction
from export.features import EvaluationGraphs, Features
from export.frames import FrameFiles
from export.shift_figures import RESAMPLES, shift_figures
from lsood_runtime import BundleError, Manifest

Bytes = NDArray[np.uint8]

BLIND = 0.8
"""AUROC below which a shift is called unseen."""
SHOWN = 6
_PEERS = ("kde", "mahalanobis", "knn")


@dataclass(frozen=True)
class EvaluationOptions:
    """What a user may ask of an evaluation.

    Attributes:
        bundle: its folder.
        ind: in-distribution frames that neither network, detector nor thresholds have seen.
        ood: out-of-distribution frames by name.
        labels: folders of label files, PNG class ids under the frames' own names.
        ignored_labels: ids of pixels that do not count.
        kinds: synthetic anomalies of the in-distribution frames, keys of ``ANOMALIES``.
        severities: of these.
        every: take every n-th in-distribution frame for the synthetic anomalies.
        fit_frames: in-distribution frames to fit other detectors on, to compare with.
        operating_point: whose threshold counts; None for the bundle's default.
        seed: of anomalies and bootstrap.
        threads: of ONNX Runtime; None for one a core.
    """

    bundle: Path
    ind: tuple[Path, ...]
    ood: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    labels: tuple[Path, ...] = ()
    ignored_labels: tuple[int, ...] = (255,)
    kinds: tuple[str, ...] = tuple(ANOMALIES)
    severities: tuple[int, ...] = SEVERITIES
    every: int = 1
    fit_frames: tuple[Path, ...] = ()
    operating_point: str | None = None
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True, eq=False)
class Shift:
    """Out-of-distribution frames against the in-distribution ones.

    Attributes:
        frames: the set.
        figures: of the bundle's own score, by ``export.shift_figures.FIGURES``.
        peers: AUROC of other scores on the same frames, by name.
    """

    frames: FrameSet
    figures: Mapping[str, Interval]
    peers: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame worth looking at: RGB image and class map, if the bundle gives one."""

    set_name: str
    frame_name: str
    score: float
    p_value: float
    image: Bytes
    classes: Bytes | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that a report shows."""

    options: EvaluationOptions
    manifest: Manifest
    operating_point: str
    created: str
    ind: FrameSet
    false_alarm_rate: Interval
    shifts: tuple[Shift, ...]
    failures: tuple[FailurePrediction, ...]
    accepted_iou: float | None
    strangest: tuple[Moment, ...]
    most_familiar: tuple[Moment, ...]

    @property
    def threshold(self) -> float:
        """Of the operating point."""
        return self.manifest.operating_points[self.operating_point].value

    @property
    def fitted_on_shifts(self) -> bool:
        """Whether out-of-distribution frames, which the bundle does not name, fitted the detector."""
        return self.manifest.detector.fit_ood_frames > 0

    @property
    def mean_auroc(self) -> float:
        """Over all shifts; NaN without any."""
        return float(np.mean([shift.figures["auroc"].value for shift in self.shifts])) if self.shifts else float("nan")

    @property
    def blind(self) -> tuple[Shift, ...]:
        """Shifts with an AUROC below ``BLIND``."""
        return tuple(shift for shift in self.shifts if shift.figures["auroc"].value < BLIND)

    def asdict(self) -> dict[str, Any]:
        """JSON-ready figures; NaN becomes None."""

        def number(value: float | None) -> float | None:
            return None if value is None or not np.isfinite(value) else float(value)

        def triple(figure: Interval) -> list[float | None]:
            return [number(figure.value), number(figure.low), number(figure.high)]

        return {
            "bundle": self.manifest.name,
            "created": self.created,
            "operating_point": self.operating_point,
            "threshold": self.threshold,
            "ind": {
                "frames": len(self.ind.features),
                "mean_iou": number(self.ind.mean_iou),
                "false_alarm_rate": triple(self.false_alarm_rate),
            },
            "mean_auroc": number(self.mean_auroc),
            "shifts": [
                {
                    "name": shift.frames.source.name,
                    "kind": shift.frames.source.kind,
                    "severity": shift.frames.source.severity,
                    "frames": len(shift.frames.features),
                    "mean_iou": number(shift.frames.mean_iou),
                    "figures": {name: triple(figure) for name, figure in shift.figures.items()},
                    "peers": {name: number(value) for name, value in shift.peers.items()},
                }
                for shift in self.shifts
            ],
            "failures": [
                {
                    "score": failure.score_name,
                    "spearman": number(failure.spearman),
                    "aurc": failure.aurc,
                    "oracle_aurc": failure.oracle_aurc,
                    "random_aurc": failure.random_aurc,
                }
                for failure in self.failures
            ],
            "accepted_mean_iou": number(self.accepted_iou),
        }


def evaluate(options: EvaluationOptions, say: Callable[[str], None], progress: Progress) -> Evaluation:
    """Score every set and relate the scores to the sets and, with labels, to the network's failures.

    Raises:
        UsageError: sets, labels or options that cannot be used.
        BundleError: a damaged bundle, or one without the operating point.
    """
    say(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    manifest = graphs.manifest
    point = manifest.operating_point if options.operating_point is None else options.operating_point
    if point not in manifest.operating_points:
        raise BundleError(
            f"expected an operating point of the bundle ({', '.join(manifest.operating_points)}), got {point!r}"
        )
    sources = list(_sources(options))
    labels = label_files(options.labels)
    if labels and manifest.segmentation.kind == "none":
        raise UsageError(
            "expected a bundle with a segmentation to compare with labels, this one has none: drop --labels"
        )
    fit_files = FrameFiles(options.fit_frames) if options.fit_frames else None

    sets = [score_set(graphs, source, labels, options.ignored_labels, progress) for source in sources]
    ind, others = sets[0], sets[1:]
    peers = dict(_output_peers(ind))
    if fit_files is not None:
        fitted = Source("fit frames", fit_files, tuple(range(len(fit_files))))
        peers |= _fitted_peers(score_set(graphs, fitted, {}, (), progress).features)

    say("figures and intervals")
    threshold = manifest.operating_points[point].value
    shifts = tuple(
        Shift(
            other,
            shift_figures(ind.features.score, other.features.score, threshold, seed=options.seed),
            {name: _auroc(score(ind.features), score(other.features)) for name, score in peers.items()},
        )
        for other in others
    )
    rng = np.random.default_rng(options.seed)
    flagged = (ind.features.score > threshold).astype(float)
    drawn = resample_counts(ind.features.score, RESAMPLES, rng) @ flagged / len(flagged)
    failures, accepted = _failures([frames for frames in sets if frames.iou is not None], threshold)
    calibration = np.array(manifest.calibration.scores)
    strangest, familiar = _moments(graphs, sets, calibration)
    return Evaluation(
        options,
        manifest,
        point,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        ind,
        interval(float(flagged.mean()), drawn),
        shifts,
        failures,
        accepted,
        strangest,
        familiar,
    )


def _sources(options: EvaluationOptions) -> Iterator[Source]:
    """In-distribution frames, then real shifts, then synthetic ones by kind and severity."""
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown:
        raise UsageError(f"expected synthetic anomalies among {', '.join(ANOMALIES)}, got {unknown[0]}")
    if not set(options.severities) <= set(SEVERITIES) or options.every < 1 or options.seed < 0:
        raise UsageError("expected severities from 1 to 5, --every of at least 1 and a --seed of at least 0")
    ind = FrameFiles(options.ind)
    yield Source("in distribution", ind, tuple(range(len(ind))))
    for name, paths in options.ood.items():
        files = FrameFiles(paths)
        same = {path.resolve() for path in files.paths} & {path.resolve() for path in ind.paths}
        if same:
            raise UsageError(f"expected other frames as {name} than in distribution, {min(same).name} is in both")
        yield Source(name, files, tuple(range(len(files))))
    for kind in options.kinds:
        for severity in options.severities:
            indices = tuple(range(0, len(ind), options.every))
            yield Source(f"{kind} {severity}", ind, indices, kind, severity, options.seed)


Peer = Callable[[Features], NDArray[np.floating]]


def _output_peers(ind: FrameSet) -> Iterator[tuple[str, Peer]]:
    for name in ind.features.columns():
        yield name, lambda features, name=name: features.columns()[name]  # type: ignore[misc]


def _fitted_peers(fitted: Features) -> dict[str, Peer]:
    """Detectors on the entropies, and on what the tap says without any sampling."""
    peers: dict[str, Peer] = {}
    for rows in ("entropy", "moments"):
        for kind in _PEERS:
            detector = fit_detector(kind, getattr(fitted, rows).astype(np.float64))
            peers[f"{rows}, {kind}"] = lambda features, rows=rows, detector=detector: (
                -detector.score_samples(  # type: ignore[misc]
                    getattr(features, rows).astype(np.float64)
                )
            )
    return peers


def _auroc(ind: NDArray[np.floating], ood: NDArray[np.floating]) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(ind), len(ood)]), np.concatenate([ind, ood])))


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
    """The frames that score highest and lowest of all, looked at once more."""
    places = [(frames, i) for frames in sets for i in range(len(frames.features))]
    scores = np.concatenate([frames.features.score for frames in sets])
    order = np.argsort(scores, kind="stable")

    def moment(place: int) -> Moment:
        frames, i = places[place]
        channels = graphs.manifest.input.channels
        frame = frames.source.frame(frames.source.indices[i], channels)
        classes = graphs(frame).segmentation
        score = float(scores[place])
        p_value = float(p_values(calibration, np.array([score]))[0])
        image = frame[..., ::-1] if channels == "bgr" else frame
        return Moment(frames.source.name, Path(frames.features.names[i]).name, score, p_value, image, classes)

    return tuple(moment(int(i)) for i in order[::-1][:SHOWN]), tuple(moment(int(i)) for i in order[:SHOWN])

# SPDX-License-Identifier: Apache-2.0
"""Compare the graph of the answers beside the score with the fitted answers, and the forms of a monitor with one another."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.answers.confidence import class_confidence
from export.answers.fit import FittedAnswers, fit_answers, fit_places
from export.answers.fit_map import CalibratedMap
from export.answers.maps import FittedMap, as_maps
from export.answers.rows import DegradedRows, PatchedRows
from export.calibration.bundle_answers import BundleAnswers
from export.errors import ParityError
from export.features.key import FeatureKey
from export.frames.evenly_spaced import evenly_spaced
from export.graphs.answered_detector import answers_of
from export.graphs.monitor_forms import Form, cpu_session
from export.graphs.noise import NoiseBatch
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import ANOMALY_MAP, ANSWER_OUTPUTS, ANSWER_SHARES, CLASS_CONFIDENCE

GRAPH_TOLERANCE = 1e-6
"""Largest difference between graph and fitted answers, as a share of what an answer ranges over."""

MAP_TOLERANCE = 1e-4
"""The same of a map, and of the confidence of its classes, whose graph is float32, beside what rounding alone makes of it."""

NUDGE = 2.0**-20
"""Largest share by which inputs are changed to see what rounding makes of a map: eight float32 roundings."""

_OF_MAPS = (ANOMALY_MAP, CLASS_CONFIDENCE)

_COMPARED = 512


def checked_answers(
    rows: DegradedRows | None,
    wanted: frozenset[str],
    seed: int,
    tap_layers: Sequence[str],
    patched: PatchedRows | None = None,
    calibrated_map: CalibratedMap | None = None,
    reporter: Reporter = SILENT,
) -> BundleAnswers:
    """Fit answers, build their graph, and compare both.

    Args:
        rows: measured frames, clean and degraded; None where neither quality nor cause is wanted.
        wanted: of ``quality`` and ``cause``.
        seed: of the deal of drives and kinds to folds.
        tap_layers: names of the taps.
        patched: frames clean, patched and locally degraded, where abnormal tiles are to be told.
        calibrated_map: of what is unknown, where it is to be given.
        reporter: told how many of the fits that judge are done.

    Raises:
        ValueError: nothing to fit answers to.
        CalibrationError: rows that no answer can be fitted on.
        ParityError: the graph disagrees with the fitted answers.
    """
    values: dict[FeatureKey, NDArray[np.float32]] = {} if patched is None else dict(patched.values)
    maps = {} if calibrated_map is None else calibrated_map.examples
    if rows is not None:
        fitted = fit_answers(rows, wanted, seed, tap_layers, patched, calibrated_map, reporter)
        values |= dict(rows.values)
    elif patched is not None or calibrated_map is not None:
        fitted = fit_places(patched, calibrated_map, seed, reporter)
    else:
        raise ValueError("expected rows, patched frames or a map to fit answers to, got none of them")
    measured = {**values, **maps}
    answers = BundleAnswers.of(fitted, {key: measured[key].shape[1] for key in fitted.keys})
    check_answers_graph(answers, fitted, values)
    if fitted.map is not None:
        check_map_graph(answers, fitted.map, maps)
    return answers


def check_answers_graph(
    answers: BundleAnswers, fitted: FittedAnswers, measured: Mapping[FeatureKey, NDArray[np.float32]]
) -> None:
    """Compare graph and fitted answers on measured rows and halfway between neighbours, one row at a time.

    Args:
        answers: with the graph.
        fitted: the answers.
        measured: ``(N, D)`` of each feature, of whatever N.

    Raises:
        ParityError: an answer is further apart than the tolerance.
    """
    keys = [key for key in answers.keys if not key.is_map]
    if not keys:
        return  # a map alone
    count = min(_COMPARED, *(len(measured[key]) for key in keys))
    values = {key: _with_midpoints(measured[key][evenly_spaced(np.arange(len(measured[key])), count)]) for key in keys}
    others = [name for name in ANSWER_OUTPUTS if name not in _OF_MAPS]
    expected, session = fitted.outputs(values), cpu_session(answers_of(answers.graph, others))
    names = [value.name for value in session.get_outputs()]
    count, ranges = len(next(iter(values.values()))), answers.record.ranges()
    worst = 0.0
    for i in range(count):
        given = session.run(names, {str(key): rows[i : i + 1] for key, rows in values.items()})
        for name, got in zip(names, given, strict=True):
            apart = float(np.abs(got[0] - expected[name][i]).max()) / ranges[name]
            worst = max(worst, apart if np.isfinite(apart) else np.inf)
    if not worst <= GRAPH_TOLERANCE:
        raise ParityError(
            f"expected the graph of the answers within {GRAPH_TOLERANCE:g} of their ranges, got a difference of {worst:.3g}; "
            "no bundle was written: leave --answers out, and report it as a defect"
        )


def check_map_graph(
    answers: BundleAnswers, fitted: FittedMap, measured: Mapping[FeatureKey, NDArray[np.float32]]
) -> None:
    """Compare the graph of the map, and of the confidence of its classes, with the fitted ones, frame by frame.

    A map whose terms nearly cancel, as of a network that has learnt little, is allowed what inputs nudged by some float32
    roundings make of it, and at most what a monitor allows on golden frames.

    Args:
        answers: with the graph.
        fitted: the map.
        measured: ``(N, D)`` of each feature that it reads, of a few frames.

    Raises:
        ParityError: a cell, or a class, is further apart than the tolerance.
    """
    record, ranges = answers.record, answers.record.ranges()
    names = [name for name in _OF_MAPS if name in ranges]
    session = cpu_session(answers_of(answers.graph, names))
    count, worst, nudged = len(measured[fitted.key]), dict.fromkeys(names, 0.0), 0.0
    for i in range(count):
        values = {key: measured[key][i : i + 1] for key in fitted.keys}
        plain = fitted.anomaly_map(values)
        expected: list[NDArray[np.floating]] = [plain]
        nudged = max(nudged, moved_by_rounding(fitted, values, plain) / ranges[ANOMALY_MAP])
        if record.confidence is not None:
            logits = as_maps(values[fitted.key], fitted.key)
            expected.append(class_confidence(logits, record.confidence.temperature))
        given = session.run(names, {str(key): rows for key, rows in values.items()})
        for name, got, wanted in zip(names, given, expected, strict=True):
            apart = float(np.abs(got - wanted).max()) / ranges[name]
            worst[name] = max(worst[name], apart if np.isfinite(apart) else np.inf)
    for name in names:
        tolerance = min(MAP_TOLERANCE + nudged, ANSWER_SHARES["cpu"]) if name == ANOMALY_MAP else MAP_TOLERANCE
        if count and worst[name] <= tolerance:
            continue
        what = (
            "anomaly map within {:.3g} of its limit" if name == ANOMALY_MAP else "confidence of classes within {:.3g}"
        )
        raise ParityError(
            f"expected the graph of the {what.format(tolerance)}, got a difference of {worst[name]:.3g} "
            f"on {count} frames; no bundle was written: leave map out of --answers, and report it as a defect"
        )


def moved_by_rounding(
    fitted: FittedMap, values: Mapping[FeatureKey, NDArray[np.float32]], plain: NDArray[np.float32]
) -> float:
    """Largest change of a cell where each number that a map reads is changed by a drawn share of at most ``NUDGE``.

    Args:
        fitted: the map.
        values: ``(N, D)`` of each feature that it reads.
        plain: ``(N, h, w)``, the map of these.
    """
    rng = np.random.default_rng(0)
    nudged = {key: rows * (1 + rng.uniform(-NUDGE, NUDGE, rows.shape)) for key, rows in values.items()}
    return float(np.abs(fitted.anomaly_map(nudged) - plain).max())


def check_answers_agree(
    forms: Iterable[Form], frames: NDArray[np.uint8], noise: NoiseBatch, ranges: Mapping[str, float]
) -> None:
    """Check that all forms of a monitor answer alike, for frames alone and in one batch.

    Args:
        forms: of the monitor; each is let go before the next is asked for.
        frames: ``(B, H, W, 3)``.
        noise: of the frames.
        ranges: of the answers, by name.

    Raises:
        ParityError: two forms, or a frame alone and in a batch, answer differently.
    """
    tolerance, first = ANSWER_SHARES["cpu"], dict[str, NDArray[np.float64]]()
    for form in forms:
        alone = [form(frames[i : i + 1], [values[i : i + 1] for values in noise]) for i in range(len(frames))]
        first = first or {name: np.concatenate([one[name] for one in alone]) for name in ranges}
        for got in (form(frames, noise), {name: np.concatenate([one[name] for one in alone]) for name in ranges}):
            apart = max(float(np.abs(got[name] - first[name]).max()) / size for name, size in ranges.items())
            if not apart <= tolerance:
                raise ParityError(
                    f"expected the same answers of every form of the monitor, got a difference of {apart:.3g} of their "
                    f"ranges, allowed is {tolerance:g}; no bundle was written: leave --answers out"
                )
        del form


def _with_midpoints(values: NDArray[np.floating]) -> NDArray[np.float32]:
    rows = np.asarray(values, np.float32)
    return np.concatenate([rows, (rows[1:] + rows[:-1]) / 2])

# SPDX-License-Identifier: Apache-2.0
"""Networks that are timed with the default detector and with answers, all of which are fitted to random features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from benchmarks.networks import FIT_FRAMES, Placement, Subject, bare_graph, load_network, monitor_graphs, subject
from export.anomalies import COMMON_KINDS, SEVERITIES
from export.answers.confidence import LabelledPixels, calibrate_confidence
from export.answers.fit import FittedAnswers, answer_keys, fit_answers
from export.answers.maps import FittedMap, MapHead, grid_of_map
from export.answers.pixel_scores import ENERGY, HEAD
from export.answers.rows import DegradedRows, PatchedRows
from export.calibration.answer_options import CAUSE, MAP, QUALITY, TILES
from export.calibration.detector_choice import DetectorChoice, choose_parts
from export.calibration.options import CalibrationOptions
from export.detectors.fitted import PartOptions
from export.detectors.fused import Fused, fit_fused
from export.features.key import FeatureKey
from export.graphs.answered_detector import answered_detector, own_names
from export.graphs.answers import answers_graph
from export.graphs.detector import features_graph
from export.graphs.evaluation_outputs import (
    evaluation_features,
    map_features,
    output_shapes,
    tile_features,
    with_outputs,
)
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.precision.options import FLOAT32
from lsood_runtime._inference.graph import Graph, Signature
from lsood_runtime.offline import ANOMALY_MAP, NO_CAUSE, AnswersRecord, ConfidenceRecord

CONFIDENCE = "confidence"
"""The confidence of classes, which an export with labels adds to the map."""

ALL_ANSWERS, NO_ANSWERS = frozenset((QUALITY, CAUSE, TILES, MAP, CONFIDENCE)), frozenset[str]()
ANSWER_FRAMES, LABELLED_PIXELS = 8, 2000
GRID = (4, 8)
"""Rows and columns of tiles, as an export has them by default."""

HEAD_STRIDE = 16
"""Of the finest layers that the linear layer of a map reads."""


@cache
def random_fused(parts: tuple[PartOptions, ...], widths: tuple[tuple[FeatureKey, int], ...]) -> Fused:
    """A fused detector of random features of so many frames."""
    rng = np.random.default_rng(1)
    rows = {key: rng.normal(size=(FIT_FRAMES, width)) for key, width in widths}
    return fit_fused(parts, rows, [f"drive {i // 100}" for i in range(FIT_FRAMES)])


@cache
def fused_graphs(who: Subject, samples: int, placement: Placement, precision: str = FLOAT32) -> tuple[Graph, Graph]:
    """Both graphs of a bundle with the default detector: several parts, of features of one pass."""
    return answered_graphs(who, samples, placement, NO_ANSWERS, precision)


@cache
def answered_graphs(
    who: Subject, samples: int, placement: Placement, answers: frozenset[str] = ALL_ANSWERS, precision: str = FLOAT32
) -> tuple[Graph, Graph]:
    """The same with some of the answers beside the score; a map of energy and a head over logits, stride 16 and the tap."""
    network, detector = answered_models(who, samples, answers)
    whole, fitted = measured(who, samples), _random_answers(who, samples, answers)
    outputs: dict[str, tuple[str, tuple[int, ...]]] = {
        "entropy": ("tensor(float)", (whole.channels,)),
        "score": ("tensor(double)", ()),
        "parts": ("tensor(double)", (len(whole.choice.parts),)),
    }
    if fitted:
        outputs |= _answer_outputs(fitted)
    features = [value.name for value in network.graph.output if value.name != "segmentation"]
    inputs: Signature = {name: ("tensor(float)", whole.shapes[name]) for name in features}
    return load_network(who, network, placement, precision), placement.load("detector.onnx", detector, inputs, outputs)


def answered_models(who: Subject, samples: int, answers: frozenset[str] = ALL_ANSWERS) -> tuple[ModelProto, ModelProto]:
    """``segmentation.onnx`` in float32 and ``detector.onnx`` of a bundle with the default detector and some answers."""
    whole, fitted = measured(who, samples), _random_answers(who, samples, answers)
    choice = whole.choice
    network, shapes = whole.giving((*choice.keys, *(fitted.keys if fitted else ())))
    detector = features_graph(random_fused(choice.parts, whole.widths(choice.keys)), shapes)
    if fitted:
        answers_alone = answers_graph(fitted, dict(whole.widths(fitted.keys)))
        detector = answered_detector(detector, own_names(answers_alone))
    return network, detector


def unscored(
    who: Subject, samples: int, placement: Placement, answers: frozenset[str]
) -> Callable[[], Mapping[str, NDArray[Any]]]:
    """Take the frame through the network and the answers, without a score: their outputs by name."""
    fitted = _random_answers(who, samples, answers)
    if fitted is None:
        raise ValueError("expected an answer or more")
    whole = measured(who, samples)
    network, shapes = whole.giving(fitted.keys)
    widths = dict(whole.widths(fitted.keys))
    inputs: Signature = {name: ("tensor(float)", shape) for name, shape in shapes.items()}
    first = load_network(who, network, placement, FLOAT32)
    second = placement.load("answers.onnx", answers_graph(fitted, widths), inputs, _answer_outputs(fitted))
    given, asked = list(first.outputs), list(second.outputs)

    def run() -> Mapping[str, NDArray[Any]]:
        outputs = dict(zip(given, first.run(given, {"frame": who.frame}), strict=True))
        read = {name: outputs[name] for name in second.inputs}
        return {"segmentation": outputs["segmentation"], **dict(zip(asked, second.run(asked, read), strict=True))}

    return run


def _answer_outputs(fitted: FittedAnswers) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Element types and shapes of a frame's answers."""
    outputs = {name: ("tensor(double)", shape) for name, shape in fitted.record.shapes().items()}
    return outputs | ({} if fitted.map is None else {ANOMALY_MAP: ("tensor(float)", fitted.map.grid)})


@dataclass(frozen=True, eq=False)
class Measured:
    """A network that gives every feature that the default detector and all answers may read.

    Attributes:
        graph: from frame to segmentation and features.
        shapes: of each feature of a frame, by the name of its output.
        choice: parts of the default detector.
        taps: names of the taps.
        read: features that quality and cause may be told of.
        tiles: features of abnormal tiles.
        maps: features of the anomaly map: logits, layers of stride 16 and the tap.
        channels: of the tap.
    """

    graph: ModelProto
    shapes: Mapping[str, tuple[int, ...]]
    choice: DetectorChoice
    taps: tuple[str, ...]
    read: tuple[FeatureKey, ...]
    tiles: tuple[FeatureKey, ...]
    maps: tuple[FeatureKey, ...]
    channels: int

    def giving(self, keys: Sequence[FeatureKey]) -> tuple[ModelProto, dict[str, tuple[int, ...]]]:
        """The graph to segmentation and these features alone, and their shapes by name, as an export cuts it."""
        names = list(dict.fromkeys(key.output for key in keys))
        return with_outputs(self.graph, ["segmentation", *names]), {name: self.shapes[name] for name in names}

    def widths(self, keys: Sequence[FeatureKey]) -> tuple[tuple[FeatureKey, int], ...]:
        """Each of these features with its numbers a frame."""
        return tuple((key, self.shapes[key.output][-1]) for key in keys)


@cache
def measured(who: Subject, samples: int) -> Measured:
    """The network of a subject with all features, converted once."""
    sampler = who.sampler(samples)
    available = evaluation_features(sampler.layers, segmented=True)
    choice = choose_parts(CalibrationOptions(), available, sampler.taps)
    read, tiles = answer_keys(available, sampler.taps), tile_features(sampler.maps, *GRID)
    maps = map_features({**sampler.maps, **sampler.tap_maps}, who.size, who.size)
    maps = tuple(key for key in maps if key.layer is None or grid_of_map(key)[0] * HEAD_STRIDE <= who.size[0])
    keys = tuple(dict.fromkeys((*choice.keys, *read, *tiles, *maps)))
    inside = sampler.observe([key for key in keys if key.is_of_layers])
    graph = segmentation_graph(MonitoredNetwork(who.preprocessing, inside, features=keys), *who.size)
    shapes = {name: shape for name, shape in output_shapes(graph).items() if name != "segmentation"}
    return Measured(graph, shapes, choice, sampler.taps, read, tiles, maps, sampler.channels)


@cache
def _random_answers(who: Subject, samples: int, answers: frozenset[str]) -> FittedAnswers | None:
    """Some answers, fitted to random features of frames in every kind and severity; None where there are none."""
    if not answers:
        return None
    network = measured(who, samples)
    record = AnswersRecord(None, (), ANSWER_FRAMES, 2, ANSWER_FRAMES, None, None)
    fitted = FittedAnswers(keys=(), record=record)
    if answers & {QUALITY, CAUSE, TILES}:
        every = _fit_random(network.widths(network.read), network.widths(network.tiles), network.taps)
        tells = bool(answers & {QUALITY, CAUSE})
        fitted = replace(
            every,
            cell_columns=every.cell_columns if CAUSE in answers else None,
            cells=every.cells if CAUSE in answers else None,
            picture_columns=every.picture_columns if CAUSE in answers else None,
            typicality=every.typicality if CAUSE in answers else None,
            far_columns=every.far_columns if tells else None,
            far_cells=every.far_cells if tells else None,
            quality_columns=every.quality_columns if QUALITY in answers else None,
            quality=every.quality if QUALITY in answers else None,
            tiles=every.tiles if TILES in answers else None,
            record=replace(
                every.record,
                novelty_limit=every.record.novelty_limit if tells else None,
                kinds=every.record.kinds if tells else (),
                quality=every.record.quality if QUALITY in answers else None,
                cause=every.record.cause if CAUSE in answers else None,
                tiles=every.record.tiles if TILES in answers else None,
            ),
        )
    if MAP in answers:
        fitted = replace(fitted, map=_random_map(network))
    if CONFIDENCE in answers:
        if fitted.map is None:
            raise ValueError("expected the map beside the confidence, which reads its logits")
        fitted = replace(fitted, record=replace(fitted.record, confidence=_random_confidence(fitted.map)))
    readers = (fitted.far_columns, fitted.quality_columns, fitted.tiles, fitted.map)
    keys = dict.fromkeys(key for reader in readers if reader is not None for key in reader.keys)
    return replace(fitted, keys=tuple(keys))


@cache
def _fit_random(
    widths: tuple[tuple[FeatureKey, int], ...], tiles: tuple[tuple[FeatureKey, int], ...], taps: tuple[str, ...]
) -> FittedAnswers:
    """Quality, cause, severity and tiles of random features, in one fit, which takes long."""
    cells = [(NO_CAUSE, 0), *((kind, severity) for kind in COMMON_KINDS for severity in SEVERITIES)]
    kind, severity = (np.array(column * ANSWER_FRAMES) for column in zip(*cells, strict=True))
    frame = np.repeat(np.arange(ANSWER_FRAMES), len(cells))
    drive = np.array([f"drive {i // 2}" for i in frame])
    good, cover = np.random.default_rng(2).random(len(frame)), np.random.default_rng(3).random((len(frame), *GRID))
    rows = DegradedRows(_random_rows(widths, kind), kind, severity, drive, frame, good, "agreement")
    filling = np.where(severity > 0, "texture", "")
    patched = PatchedRows(_random_rows(tiles, kind), cover * (severity > 0)[:, None, None], filling, drive, frame)
    few = patched.chosen(np.arange(len(frame)) % len(cells) < 2)  # each frame clean and once patched
    return fit_answers(rows, frozenset((QUALITY, CAUSE)), 0, taps, few)


def _random_rows(
    widths: Sequence[tuple[FeatureKey, int]], kind: NDArray[np.str_]
) -> dict[FeatureKey, NDArray[np.float32]]:
    """Random features of frames, each with a mean of its own for each kind, so that a fit reads all that it may read."""
    rng = np.random.default_rng(1)
    names, of_kind = np.unique(kind, return_inverse=True)
    means = {key: rng.normal(size=(len(names), width)) for key, width in widths}
    return {
        key: (mean[of_kind] + rng.normal(size=(len(kind), mean.shape[1]))).astype(np.float32)
        for key, mean in means.items()
    }


def _random_map(network: Measured) -> FittedMap:
    """A map of energy and a head of random weights over logits, layers of stride 16 and the tap, averaged over 9 x 9."""
    rng = np.random.default_rng(1)
    weights = {
        key: rng.normal(size=width // int(np.prod(grid_of_map(key)))) for key, width in network.widths(network.maps)
    }
    logits = weights.pop(network.maps[0])
    head, classes = MapHead(logits, weights, 0.0), len(logits)
    return FittedMap(network.maps[0], {ENERGY: 0.5, HEAD: 0.5}, 0.0, 9, np.zeros(classes), np.ones(classes), head)


def _random_confidence(told: FittedMap) -> ConfidenceRecord:
    """The temperature of random logits with random labels."""
    rng, classes = np.random.default_rng(1), len(told.class_centre)
    labels, fold = rng.integers(classes, size=LABELLED_PIXELS), np.arange(LABELLED_PIXELS) % 2
    logits = rng.normal(size=(LABELLED_PIXELS, classes)).astype(np.float32)
    return calibrate_confidence(LabelledPixels(logits, labels, fold, ANSWER_FRAMES, 2))


def forget() -> None:
    """Let go of every network that was made: those of several backbones and sizes do not fit into the memory together."""
    for made in (
        subject,
        bare_graph,
        monitor_graphs,
        fused_graphs,
        answered_graphs,
        measured,
        _random_answers,
        _fit_random,
    ):
        made.cache_clear()

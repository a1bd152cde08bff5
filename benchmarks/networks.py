# SPDX-License-Identifier: Apache-2.0
"""What is timed: one network with random weights (speed does not depend on them), with and without the monitor.

Everything runs through the runtime's own graphs and passes, as it will in the vehicle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from sklearn.pipeline import Pipeline

from export.anomalies import COMMON_KINDS, SEVERITIES
from export.answers.fit import FittedAnswers, answer_keys, fit_answers
from export.answers.maps import FittedMap, MapHead, grid_of_map
from export.answers.pixel_scores import ENERGY, HEAD
from export.answers.rows import DegradedRows, PatchedRows
from export.calibration.answer_options import CAUSE, MAP, QUALITY, TILES
from export.calibration.detector_choice import DetectorChoice, choose_parts
from export.calibration.options import CalibrationOptions
from export.detectors.fit import fit_detector
from export.detectors.fitted import PartOptions
from export.detectors.fused import Fused, fit_fused
from export.features.key import FeatureKey
from export.graphs.answered_detector import answered_detector, own_names
from export.graphs.answers import answers_graph
from export.graphs.detector import detector_graph, entropy_graph, features_graph, score_graph
from export.graphs.evaluation_outputs import (
    evaluation_features,
    map_features,
    output_shapes,
    tile_features,
    with_outputs,
)
from export.graphs.segmentation import BareNetwork, MonitoredNetwork, segmentation_graph
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.models import DeepLabV3PlusModule
from export.precision.float16 import to_float16
from export.precision.int8 import Quantiser
from export.precision.options import FLOAT16, FLOAT32, INT8, INT8_TENSORRT
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.sampler import Sampler, build_sampler
from lsood_runtime._inference.device_pass import DTYPES, DevicePass
from lsood_runtime._inference.frame_pass import FramePass, HostPass, Outcome
from lsood_runtime._inference.graph import Graph, Signature
from lsood_runtime._inference.providers import CPU, resolve_providers
from lsood_runtime.offline import ANOMALY_MAP, NO_CAUSE, session_options

TAP = "deeplab_v3plus_model.drop_block1"
CLASSES, NEIGHBORS, FIT_FRAMES, RANGE_FRAMES, ANSWER_FRAMES = 19, 5, 1000, 8, 8
ALL_ANSWERS, NO_ANSWERS = frozenset((QUALITY, CAUSE, TILES, MAP)), frozenset[str]()
GRID = (4, 8)
"""Rows and columns of tiles, as an export has them by default."""

HEAD_STRIDE = 16
"""Of the finest layers that the linear layer of a map reads."""

REDUCED = {"cpu": INT8, "cuda": FLOAT16, "tensorrt": INT8_TENSORRT}
"""The precision that is made for a provider."""


@dataclass(frozen=True)
class Placement:
    """Where and how sessions run.

    Attributes:
        provider: ``cpu``, ``cuda`` or ``tensorrt``.
        threads: of the CPU provider within an operator; None for one a core.
    """

    provider: str
    threads: int | None

    def options(self) -> ort.SessionOptions:
        """Set up as the runtime's own sessions."""
        return session_options(self.threads)

    def load(self, name: str, graph: ModelProto, inputs: Signature, outputs: Signature) -> Graph:
        """A session on this provider; an error where it does not run there."""
        providers = resolve_providers([self.provider])
        return Graph(name, graph.SerializeToString(), {}, providers, self.options(), inputs, outputs)

    def frame_pass(self, network: Graph, detector: Graph) -> FramePass:
        """As ``OoDMonitor`` takes a frame through both graphs on this provider."""
        if resolve_providers([self.provider])[0][0] == CPU:
            return HostPass(network, detector)
        return DevicePass(network, detector, "cuda", 0)


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to be timed: its weights, its frame, and what turns the one into the network's input."""

    network: DeepLabV3PlusModule
    preprocessing: Preprocessing
    frame: NDArray[np.uint8]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the frame."""
        return self.frame.shape[1], self.frame.shape[2]

    def sampler(self, samples: int, mode: Mode = "fixed", *, with_output: bool = True) -> Sampler:
        """The network with its tap sampled, and its default layers observed."""
        example = torch.zeros(1, 3, *self.size)
        return build_sampler(
            self.network,
            example,
            (TAP,),
            mc_samples=samples,
            observed=resolve_feature_layers(self.network, example, (), (TAP,)),
            mode=mode,
            with_output=with_output,
        )


@cache
def subject(backbone: str, height: int, width: int) -> Subject:
    """A DeepLabV3+ on ``backbone``, and one random frame ``(1, H, W, 3)`` uint8."""
    torch.manual_seed(0)
    network = DeepLabV3PlusModule(backbone, n_class=CLASSES).eval().requires_grad_(False)
    preprocessing = Preprocessing(height, width, network.hparams["mean"], network.hparams["std"])
    frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    return Subject(network, preprocessing, frame)


@cache
def bare_graph(who: Subject, placement: Placement, precision: str = FLOAT32) -> Graph:
    """The network without a monitor: frame to segmentation."""
    graph = segmentation_graph(BareNetwork(who.preprocessing, who.network), *who.size)
    inputs, outputs = {"frame": ("tensor(uint8)", (*who.size, 3))}, {"segmentation": ("tensor(uint8)", who.size)}
    return placement.load("alone.onnx", in_precision(graph, precision, who), inputs, outputs)


def in_precision(graph: ModelProto, precision: str, who: Subject) -> ModelProto:
    """The graph, reduced as the exporter reduces one; ranges of 8-bit values come from random frames."""
    if precision == FLOAT32:
        return graph
    if precision == FLOAT16:
        return to_float16(graph)
    frames = np.random.default_rng(3).integers(0, 256, (RANGE_FRAMES, 1, *who.size, 3), np.uint8)
    return Quantiser(graph, precision, ((frame, ()) for frame in frames))()


def alone(who: Subject, placement: Placement, precision: str = FLOAT32) -> Callable[[], object]:
    """Segment the frame, from host memory to host memory."""
    session = bare_graph(who, placement, precision)
    return lambda: session.run(["segmentation"], {"frame": who.frame})


@cache
def random_detector(channels: int, pca: int | None = None, points: int = FIT_FRAMES) -> Pipeline:
    """A kernel density of so many random entropy vectors ``(points, channels)``, after a PCA or not."""
    rows = np.random.default_rng(1).normal(size=(points, channels))
    return fit_detector("kde", rows, pca_components=pca, bandwidth=1.0)


@cache
def random_fused(parts: tuple[PartOptions, ...], widths: tuple[tuple[FeatureKey, int], ...]) -> Fused:
    """A fused detector of random features of so many frames."""
    rng = np.random.default_rng(1)
    rows = {key: rng.normal(size=(FIT_FRAMES, width)) for key, width in widths}
    return fit_fused(parts, rows, [f"drive {i // 100}" for i in range(FIT_FRAMES)])


def scored(samples: int, detector: Pipeline, channels: int) -> ModelProto:
    """``detector.onnx``: latent samples to entropy and score."""
    return detector_graph(entropy_graph(samples, channels, NEIGHBORS), score_graph(detector, channels))


def load_detector(graph: ModelProto, samples: int, channels: int, placement: Placement) -> Graph:
    """A session of ``scored``."""
    return placement.load(
        "detector.onnx",
        graph,
        {"latent_samples": ("tensor(float)", (samples, channels))},
        {"entropy": ("tensor(float)", (channels,)), "score": ("tensor(double)", ())},
    )


@cache
def monitor_graphs(
    who: Subject,
    samples: int,
    placement: Placement,
    *,
    segmentation: bool = True,
    pca: int | None = None,
    precision: str = FLOAT32,
) -> tuple[Graph, Graph]:
    """Both graphs of a bundle with a density of entropies; without ``segmentation`` the decoder is left out."""
    sampler = who.sampler(samples, with_output=segmentation)
    network = MonitoredNetwork(who.preprocessing, sampler.module, "classes" if segmentation else "none")
    detector = scored(samples, random_detector(sampler.channels, pca), sampler.channels)
    return (
        load_network(who, segmentation_graph(network, *who.size), placement, precision),
        load_detector(detector, samples, sampler.channels, placement),
    )


@cache
def fused_graphs(who: Subject, samples: int, placement: Placement, precision: str = FLOAT32) -> tuple[Graph, Graph]:
    """Both graphs of a bundle with the default detector: several parts, of features of one pass."""
    return answered_graphs(who, samples, placement, NO_ANSWERS, precision)


@cache
def answered_graphs(
    who: Subject, samples: int, placement: Placement, answers: frozenset[str] = ALL_ANSWERS, precision: str = FLOAT32
) -> tuple[Graph, Graph]:
    """The same with some of the answers beside the score; a map of energy and a head over logits, stride 16 and the tap."""
    whole, fitted = measured(who, samples), _random_answers(who, samples, answers)
    choice = whole.choice
    network, shapes = whole.giving((*choice.keys, *(fitted.keys if fitted else ())))
    detector = features_graph(random_fused(choice.parts, whole.widths(choice.keys)), shapes)
    outputs: dict[str, tuple[str, tuple[int, ...]]] = {
        "entropy": ("tensor(float)", (whole.channels,)),
        "score": ("tensor(double)", ()),
        "parts": ("tensor(double)", (len(choice.parts),)),
    }
    if fitted:
        answers_alone = answers_graph(fitted, dict(whole.widths(fitted.keys)))
        detector = answered_detector(detector, own_names(answers_alone))
        outputs |= _answer_outputs(fitted)
    inputs: Signature = {name: ("tensor(float)", shape) for name, shape in shapes.items()}
    return load_network(who, network, placement, precision), placement.load("detector.onnx", detector, inputs, outputs)


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
    every = _fit_random(network.widths(network.read), network.widths(network.tiles), network.taps)
    record = every.record
    fitted = FittedAnswers(
        (), None, None, None, None, None, None, replace(record, quality=None, cause=None, tiles=None)
    )
    if answers & {QUALITY, CAUSE}:
        fitted = replace(fitted, cell_columns=every.cell_columns, cells=every.cells)
    else:
        fitted = replace(fitted, record=replace(fitted.record, novelty_limit=None, kinds=()))
    if CAUSE in answers:
        fitted = replace(fitted, record=replace(fitted.record, cause=record.cause))
    if QUALITY in answers:
        fitted = replace(fitted, quality_columns=every.quality_columns, quality=every.quality)
        fitted = replace(fitted, record=replace(fitted.record, quality=record.quality))
    if TILES in answers:
        fitted = replace(fitted, tiles=every.tiles, record=replace(fitted.record, tiles=record.tiles))
    if MAP in answers:
        fitted = replace(fitted, map=_random_map(network))
    readers = (fitted.cell_columns, fitted.quality_columns, fitted.tiles, fitted.map)
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


def load_network(who: Subject, graph: ModelProto, placement: Placement, precision: str) -> Graph:
    """A session of ``segmentation.onnx``."""
    outputs = {
        name: ("tensor(uint8)" if name == "segmentation" else "tensor(float)", shape)
        for name, shape in output_shapes(graph).items()
    }
    inputs: Signature = {"frame": ("tensor(uint8)", (*who.size, 3))}
    return placement.load("segmentation.onnx", in_precision(graph, precision, who), inputs, outputs)


def monitored(who: Subject, samples: int, placement: Placement, **options: Any) -> Callable[[], Outcome]:
    """Take the frame through both graphs as ``OoDMonitor`` does; options as for ``monitor_graphs``."""
    return assessed(who, placement, monitor_graphs(who, samples, placement, **options))


def assessed(who: Subject, placement: Placement, graphs: tuple[Graph, Graph]) -> Callable[[], Outcome]:
    """Take the frame through the two graphs of a bundle."""
    frame_pass = placement.frame_pass(*graphs)
    return lambda: frame_pass.run(who.frame, {})


def resident(
    graphs: Sequence[Graph], frame: NDArray[np.uint8], device: str
) -> Callable[[], Mapping[str, ort.OrtValue]]:
    """Graphs one after the other over values that stay on the device: what is left once every copy is taken away.

    ONNX Runtime waits for the device at the end of each run, so that a call's time is the kernels' time.

    Args:
        graphs: each reads the frame or what the ones before it give.
        frame: ``(1, H, W, 3)`` uint8, copied to the device once.
        device: ONNX Runtime's name of the memory, ``cuda`` or ``cpu``.

    Returns:
        A call that runs them and gives their outputs by name, on the device.
    """
    values = {"frame": ort.OrtValue.ortvalue_from_numpy(frame, device, 0)}
    bindings = []
    for graph in graphs:
        binding = graph.session.io_binding()
        for name in graph.inputs:
            binding.bind_ortvalue_input(name, values[name])
        for name, (kind, shape) in graph.outputs.items():
            values[name] = ort.OrtValue.ortvalue_from_shape_and_type((len(frame), *shape), DTYPES[kind], device, 0)
            binding.bind_ortvalue_output(name, values[name])
        bindings.append((graph.session, binding))

    def run() -> Mapping[str, ort.OrtValue]:
        for session, binding in bindings:
            session.run_with_iobinding(binding)
        return values

    return run

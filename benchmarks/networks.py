# SPDX-License-Identifier: Apache-2.0
"""What is timed: one network with random weights (speed does not depend on them), with and without the monitor.

Everything runs through the runtime's own graphs and passes, as it will in the vehicle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from sklearn.pipeline import Pipeline

from export.detectors.fit import fit_detector
from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.evaluation_outputs import (
    output_shapes,
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
from lsood_runtime.offline import session_options

TAP = "deeplab_v3plus_model.drop_block1"
CLASSES, NEIGHBORS, FIT_FRAMES, RANGE_FRAMES = 19, 5, 1000, 8
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

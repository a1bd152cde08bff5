# SPDX-License-Identifier: Apache-2.0
"""Load the graphs of a bundle as runnable forms, to check them."""

from collections.abc import Iterator, Mapping

import onnxruntime as ort
import torch
from onnx import ModelProto

from export.graphs.evaluation_outputs import EVALUATION
from export.graphs.fused import FUSED_FILE
from export.graphs.monitor_forms import Form, cpu_session, one_graph, two_graphs
from export.graphs.noise import draws_noise, expose_noise
from export.graphs.torchscript import traced_module
from export.pipeline.sample import SampledNetwork
from lsood_runtime.offline import DETECTOR_FILE, SEGMENTATION_FILE


def evaluation_form(graphs: Mapping[str, ModelProto], sampled: SampledNetwork) -> Form:
    """Load the graph that gives every feature; noise that it would draw is an input of it here."""
    return one_graph(cpu_session(_with_noise_outside(graphs[EVALUATION], sampled), keep_memory=False))


def runnable_forms(
    graphs: Mapping[str, ModelProto], sampled: SampledNetwork, traced: torch.jit.ScriptModule | None = None
) -> Iterator[Form]:
    """Load every form of a monitor, one when it is asked for; noise that a graph would draw is an input of it here.

    Args:
        graphs: by the names of their files.
        sampled: the network that they come from.
        traced: the monitor in TorchScript, where there is one.

    Yields:
        The two graphs first, then the fused one and TorchScript where there are such.
    """

    def session(name: str) -> ort.InferenceSession:
        return cpu_session(_with_noise_outside(graphs[name], sampled), keep_memory=False)

    yield two_graphs(session(SEGMENTATION_FILE), cpu_session(graphs[DETECTOR_FILE]))
    if FUSED_FILE in graphs:
        yield one_graph(session(FUSED_FILE))
    if traced is not None:
        segmented = sampled.sampler.with_output
        outputs = ["score", *(["segmentation"] if segmented else []), *(["parts"] if sampled.choice.fused else [])]
        yield traced_module(traced, outputs)


def _with_noise_outside(graph: ModelProto, sampled: SampledNetwork) -> ModelProto:
    """The graph as it is, or with the noise as an input where it reads any that it draws."""
    return expose_noise(graph, sampled.site_noise) if draws_noise(graph) else graph

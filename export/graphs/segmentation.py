# SPDX-License-Identifier: Apache-2.0
"""The graphs from a camera frame: segmentation and latent samples, with or without the outputs of an evaluation."""

import logging
import warnings

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from export.errors import ConversionError, first_line
from export.graphs.detector import OPSET
from export.graphs.noise import NoiseSource
from export.graphs.segmentation_kinds import SEGMENTATION_KINDS
from export.layers.preprocessing import Preprocessing
from lsood_runtime.offline import noise_name


class MonitoredNetwork(nn.Module):
    """Preprocessing, the network with its sampled tap, and the chosen form of segmentation.

    Args:
        preprocessing: frames to the network's input.
        sampled: the network's input to ``(logits, latent_samples)``, or to ``latent_samples`` alone for kind ``none``.
        kind: ``classes`` gives the most likely class of each pixel, ``(B, h, w)`` uint8; ``logits`` the network's output as
            it is; ``none`` leaves the decoder out.
    """

    def __init__(self, preprocessing: Preprocessing, sampled: nn.Module, kind: str = "classes") -> None:
        super().__init__()
        if kind not in SEGMENTATION_KINDS:
            raise ValueError(
                f"expected a segmentation kind among {', '.join(SEGMENTATION_KINDS)}, got {kind!r}: choose one"
            )
        self.preprocessing, self.sampled, self.kind = preprocessing, sampled, kind
        self.outputs = ["latent_samples"] if kind == "none" else ["segmentation", "latent_samples"]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``(segmentation, latent_samples)``, or ``(latent_samples,)`` for kind ``none``.

        ``noise``: for masks of mode ``input``, ``(B, S, *noise_shape)`` float32 in [0, 1) for each site.
        """
        images = self.preprocessing(frame)
        if self.kind == "none":
            return (self.sampled(images, *noise),)
        logits, latent_samples = self.sampled(images, *noise)
        return _segmentation(logits, self.kind), latent_samples


class EvaluatedNetwork(nn.Module):
    """A monitored network with the outputs of :mod:`export.graphs.evaluation_outputs` beside its own.

    Args:
        preprocessing: frames to the network's input.
        observed: the network's input to ``(logits, latent_samples, latent_moments)``, without logits for kind ``none``.
        kind: as for :class:`MonitoredNetwork`.
    """

    def __init__(self, preprocessing: Preprocessing, observed: nn.Module, kind: str = "classes") -> None:
        super().__init__()
        self.preprocessing, self.observed, self.kind = preprocessing, observed, kind
        self.outputs = ["latent_samples", "latent_moments"]
        if kind != "none":
            self.outputs = ["segmentation", *self.outputs, "output_scores"]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``outputs``; noise as for :class:`MonitoredNetwork`."""
        observed: tuple[Tensor, ...] = self.observed(self.preprocessing(frame), *noise)
        if self.kind == "none":
            return observed
        logits, latent_samples, latent_moments = observed
        return _segmentation(logits, self.kind), latent_samples, latent_moments, output_scores(logits)


def output_scores(logits: Tensor) -> Tensor:
    """Confidence of the network's own output: ``(B, K, h, w)`` logits to ``(B, 4)``, in the order of ``OUTPUT_SCORES``."""
    log_sum = logits.logsumexp(dim=1)
    largest = logits.amax(dim=1)
    log_probabilities = logits - log_sum[:, None]
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    return torch.stack([entropy, -(largest - log_sum).exp(), -largest, -log_sum], dim=1).mean(dim=(2, 3))


class BareNetwork(nn.Module):
    """The network without a monitor, on the same frame: the baseline of the monitor's cost."""

    def __init__(self, preprocessing: Preprocessing, network: nn.Module, kind: str = "classes") -> None:
        super().__init__()
        self.preprocessing, self.network, self.kind = preprocessing, network, kind
        self.outputs = ["segmentation"]

    def forward(self, frame: Tensor) -> Tensor:
        """``(B, H, W, 3)`` uint8 to the segmentation."""
        return _segmentation(self.network(self.preprocessing(frame)), self.kind)


def _segmentation(logits: Tensor, kind: str) -> Tensor:
    return logits.argmax(1).to(torch.uint8) if kind == "classes" else logits


def segmentation_graph(
    network: MonitoredNetwork | EvaluatedNetwork | BareNetwork,
    frame_height: int,
    frame_width: int,
    noise: NoiseSource | None = None,
) -> ModelProto:
    """Convert to ONNX with a free batch and a fixed frame size.

    Args:
        network: what to convert.
        frame_height: rows of a frame.
        frame_width: columns of a frame.
        noise: for masks of mode ``input``: its shapes are those of the inputs ``noise_0``, ``noise_1``, ...

    Opset 20 is the newest under which ONNX Runtime's CUDA provider has a kernel for each operator that networks need:
    from opset 22 on it has none for MaxPool.

    Raises:
        ConversionError: an operator has no ONNX form, or the network's control flow cannot be followed.
    """
    frames = torch.zeros(2, frame_height, frame_width, 3, dtype=torch.uint8)
    uniform = [] if noise is None else [torch.rand(2, *shape) for shape in noise.shapes]
    batch = {0: torch.export.Dim("batch", min=1)}
    # One line for each torchvision operator that is not there: the network does not use them.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.export about its own deprecations
            program = torch.onnx.export(
                network.eval(),
                (frames, *uniform),
                dynamo=True,
                opset_version=OPSET,
                input_names=["frame", *(noise_name(i) for i in range(len(uniform)))],
                output_names=network.outputs,
                dynamic_shapes=(batch, (batch,) * len(uniform)) if uniform else (batch,),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ConversionError(
            f"the network has no ONNX form: {_cause(error)}; replace the operation that the message names"
        ) from error
    if program is None:  # what the exporter's signature allows and dynamo=True never gives
        raise ConversionError(
            "expected a graph of torch.onnx.export, got none: install the version of torch in constraints.txt"
        )
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter's notes: source lines and paths of the machine it ran on
    onnx.checker.check_model(model)
    return model


def _cause(error: BaseException) -> str:
    """First line of the deepest error, which the exporter wraps in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)

# SPDX-License-Identifier: Apache-2.0
"""The graphs from a camera frame: segmentation, latent samples and any other features."""

import logging
import re
import warnings
from collections.abc import Sequence

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, fx, nn

from export.errors import ConversionError, first_line
from export.features.key import PICTURE, PICTURE_SPREAD, FeatureKey
from export.graphs.detector import OPSET
from export.graphs.network_output import as_logits
from export.graphs.noise import NoiseSource
from export.graphs.operator_replacements import ORIGINS, REPLACEMENTS
from export.graphs.output_features import OutputFeatures
from export.graphs.output_forms import OutputForm
from export.graphs.picture_features import PictureFeatures
from export.graphs.picture_spread import PictureSpread
from export.graphs.segmentation_kinds import SEGMENTATION_KINDS, bundle_kind
from export.graphs.written_out import WrittenOut
from export.layers.preprocessing import Preprocessing
from export.source_lines import noted_frame, place
from lsood_runtime.offline import noise_name


class MonitoredNetwork(nn.Module):
    """Preprocessing, the network with its sampled tap, the chosen form of segmentation, and features of the frame.

    Args:
        preprocessing: frames to the network's input.
        sampled: the network's input to its logits, but for kind ``none``, and to those features that are read inside the
            network, in their order (``export.sampling.sampler.Sampler.observe``); one tensor alone where there is but one.
        kind: ``classes`` and ``binary`` give the most likely class of each pixel, ``(B, h, w)`` uint8; ``logits`` the logits;
            ``none`` leaves the decoder out.
        features: what is given beside the segmentation; the latent samples stand for the entropies.
        output: what the network returns; logits are made of it.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        sampled: nn.Module,
        kind: str = "classes",
        features: Sequence[FeatureKey] = (FeatureKey.entropy(),),
        output: OutputForm = "logits",
    ) -> None:
        super().__init__()
        if kind not in SEGMENTATION_KINDS:
            raise ValueError(
                f"expected a segmentation kind among {', '.join(SEGMENTATION_KINDS)}, got {kind!r}: choose one"
            )
        of_output = [key for key in features if key.is_of_output]
        if kind == "none" and of_output:
            raise ValueError(f"expected features inside the network for kind none, got {of_output[0]}: leave it out")
        self.preprocessing, self.sampled, self.kind, self.features = preprocessing, sampled, kind, tuple(features)
        self.output = output
        of_picture: dict[FeatureKey, nn.Module] = {PICTURE: PictureFeatures(), PICTURE_SPREAD: PictureSpread()}
        self.of_picture = [key for key in features if key in of_picture]
        self.pictures = nn.ModuleList([of_picture[key] for key in self.of_picture])
        self.outputs = [*([] if kind == "none" else ["segmentation"]), *(key.output for key in features)]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``outputs``.

        ``noise``: for masks of mode ``input``, ``(B, S, *noise_shape)`` float32 in [0, 1) for each site.
        """
        pixels = self.preprocessing.pixels(frame)
        given = self.sampled(self.preprocessing.prepare(pixels), *noise)
        inside: list[Tensor] = [given] if isinstance(given, Tensor) else list(given)
        logits = None if self.kind == "none" else inside.pop(0)
        found = dict(zip([key for key in self.features if key.is_of_layers], inside, strict=True))
        found |= {key: module(pixels) for key, module in zip(self.of_picture, self.pictures, strict=True)}
        if logits is None:
            return tuple(found[key] for key in self.features)
        logits = as_logits(self.preprocessing.of_frame(logits), self.output)
        of_output = OutputFeatures(logits)
        segmentation = of_output.classes.to(torch.uint8) if bundle_kind(self.kind) == "classes" else logits
        return segmentation, *(found[key] if key in found else of_output[key] for key in self.features)


class BareNetwork(nn.Module):
    """The network without a monitor, on the same frame: the baseline of the monitor's cost."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        network: nn.Module,
        kind: str = "classes",
        output: OutputForm = "logits",
    ) -> None:
        super().__init__()
        self.preprocessing, self.network, self.kind, self.output = preprocessing, network, kind, output
        self.outputs = ["segmentation"]

    def forward(self, frame: Tensor) -> Tensor:
        """``(B, H, W, 3)`` uint8 to the segmentation."""
        output = self.preprocessing.of_frame(self.network(self.preprocessing(frame)))
        logits = as_logits(output, self.output)
        return logits.argmax(1).to(torch.uint8) if bundle_kind(self.kind) == "classes" else logits


def segmentation_graph(
    network: MonitoredNetwork | BareNetwork,
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
        with warnings.catch_warnings(), WrittenOut():
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
        operation, node = _origin(_operation(error), network)
        remedy = REPLACEMENTS.get(operation, "replace the operation that the message names")
        raise ConversionError(f"the network has no ONNX form: {_cause(error)}{_layer_of(node)}; {remedy}") from error
    if program is None:  # what the exporter's signature allows and dynamo=True never gives
        raise ConversionError(
            "expected a graph of torch.onnx.export, got none: install the version of torch in constraints.txt"
        )
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter's notes: source lines and paths of the machine it ran on
    onnx.checker.check_model(model)
    return model


def _operation(error: BaseException) -> str:
    """The operation that an error of the exporter names; empty where it names none."""
    while error.__cause__ is not None:
        error = error.__cause__
    named = re.search(r"op='([\w.]+)'", str(error))
    return named[1] if named else ""


def _origin(operation: str, network: nn.Module) -> tuple[str, fx.Node | None]:
    """The operation of the network's own graph that stands behind one that the exporter names, with its node."""
    graphs = [module.graph for module in nn.Module.modules(network) if isinstance(module, fx.GraphModule)]
    nodes = [node for graph in graphs for node in graph.nodes if node.meta.get("nn_module_stack")]
    for name in ORIGINS.get(operation, (operation,)) if operation else ():
        for node in nodes:
            if str(node.target).startswith(f"{name}."):
                return name, node
    return operation, None


def _layer_of(node: fx.Node | None) -> str:
    """Layer and line of a node of the network's graph, to stand behind words; empty for None."""
    if node is None:
        return ""
    name, _ = list(node.meta["nn_module_stack"].values())[-1]
    return f", in the layer {name.removeprefix('network.')}{place(noted_frame(node.stack_trace or ''))}"


def _cause(error: BaseException) -> str:
    """First line of the deepest error, which the exporter wraps in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)

# SPDX-License-Identifier: Apache-2.0
"""The graphs from a camera frame: segmentation, latent samples and any other features."""

import logging
import re
import warnings
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import onnx
import onnx.compose
import torch
from onnx import ModelProto
from torch import Tensor, fx, nn

from export.errors import ConversionError, first_line
from export.features.key import FeatureKey
from export.graphs.detector import OPSET
from export.graphs.evaluation_outputs import SEGMENTATION, output_shapes
from export.graphs.frame_features import (
    MANY_FRAMES,
    FeaturesOfOutput,
    FeaturesOfPicture,
    joined,
    with_free_batch,
)
from export.graphs.network_output import as_logits
from export.graphs.noise import NoiseSource
from export.graphs.operator_replacements import ORIGINS, REPLACEMENTS
from export.graphs.output_forms import OutputForm
from export.graphs.picture_tiles import NO_PADDING
from export.graphs.segmentation_kinds import SEGMENTATION_KINDS, bundle_kind
from export.graphs.written_out import WrittenOut
from export.layers.preprocessing import Preprocessing
from export.source_lines import noted_frame, place
from lsood_runtime.offline import noise_name

LOGITS, PIXELS = "monitored_logits", "monitored_pixels"
"""Names of what the features are read from, inside the graph."""


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
        of_picture = [key for key in features if key.is_of_picture]
        classes = bundle_kind(kind) == "classes"
        self.inner = InnerNetwork(
            preprocessing,
            sampled,
            output,
            logits=None if kind == "none" else LOGITS if classes else SEGMENTATION,
            pixels=bool(of_picture),
            features=[key.output for key in features if key.is_of_layers],
        )
        self.of_picture = FeaturesOfPicture(of_picture, preprocessing.added) if of_picture else None
        self.of_output = FeaturesOfOutput(of_output, classes=classes) if classes or of_output else None
        self.outputs = [*([] if kind == "none" else [SEGMENTATION]), *(key.output for key in features)]

    @property
    def preprocessing(self) -> Preprocessing:
        """Of frames to the network's input."""
        return self.inner.preprocessing

    @property
    def readers(self) -> list[tuple[str, FeaturesOfPicture | FeaturesOfOutput]]:
        """What reads an output of the inner network, each with the name of that output."""
        logits = SEGMENTATION if SEGMENTATION in self.inner.outputs else LOGITS
        both = ((PIXELS, self.of_picture), (logits, self.of_output))
        return [(name, part) for name, part in both if part is not None]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``outputs``.

        ``noise``: for masks of mode ``input``, ``(B, S, *noise_shape)`` float32 in [0, 1) for each site.
        """
        found = dict(zip(self.inner.outputs, self.inner(frame, *noise), strict=True))
        for name, part in self.readers:
            found |= dict(zip(part.outputs, part(found[name]), strict=True))
        return tuple(found[name] for name in self.outputs)


class InnerNetwork(nn.Module):
    """Preprocessing and network: what of a monitored network depends on the network.

    Args:
        preprocessing: frames to the network's input.
        sampled: as of :class:`MonitoredNetwork`.
        output: what the network returns; logits are made of it.
        logits: name of the logits, ``(B, K, h, w)`` of the frame, the first output; None without a decoder.
        pixels: whether the picture before the preprocessing, ``(B, 3, H, W)`` float32, is given as ``PIXELS``.
        features: names of the features that ``sampled`` gives.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        sampled: nn.Module,
        output: OutputForm,
        *,
        logits: str | None,
        pixels: bool,
        features: Sequence[str],
    ) -> None:
        super().__init__()
        self.preprocessing, self.sampled, self.output = preprocessing, sampled, output
        self.segmented, self.with_pixels = logits is not None, pixels
        self.outputs = [*([logits] if logits else []), *([PIXELS] if pixels else []), *features]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``outputs``."""
        pixels = self.preprocessing.pixels(frame)
        given = self.sampled(self.preprocessing.prepare(pixels), *noise)
        inside: list[Tensor] = [given] if isinstance(given, Tensor) else list(given)
        logits = [as_logits(self.preprocessing.of_frame(inside.pop(0)), self.output)] if self.segmented else []
        return *logits, *([pixels] if self.with_pixels else []), *inside


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
        self.outputs = [SEGMENTATION]

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
    names = ["frame", *(noise_name(i) for i in range(len(uniform)))]
    if isinstance(network, BareNetwork):
        return _converted(network, (frames, *uniform), names, network.outputs)
    inner = _converted(network.inner, (frames, *uniform), names, network.inner.outputs)
    shapes = output_shapes(inner)
    parts = [
        feature_graph(
            name, shapes[name], part.keys, classes=SEGMENTATION in part.outputs, added=network.preprocessing.added
        )
        for name, part in network.readers
    ]
    return joined(inner, parts, network.outputs)


@lru_cache(maxsize=64)
def feature_graph(
    name: str,
    shape: tuple[int, ...],
    keys: tuple[FeatureKey, ...],
    *,
    classes: bool,
    added: tuple[Fraction, Fraction] = NO_PADDING,
) -> ModelProto:
    """Graph of features that no network changes, which takes as long to convert as a small network: once for each shape.

    Args:
        name: of the input, ``PIXELS`` for a picture; other inputs are logits.
        shape: of the input, behind the batch.
        keys: of the features.
        classes: whether the most likely classes come first.
        added: rows and columns that padding adds to the picture, as shares of it.
    """
    part = FeaturesOfPicture(keys, added) if name == PIXELS else FeaturesOfOutput(keys, classes=classes)
    frames = torch.zeros(1, *shape).expand(MANY_FRAMES, *shape)  # as much memory as one
    model = with_free_batch(_converted(part, (frames,), [name], part.outputs, free_batch=False))
    return onnx.compose.add_prefix(model, f"{name}/", rename_inputs=False, rename_outputs=False)


def _converted(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    names: Sequence[str],
    outputs: Sequence[str],
    *,
    free_batch: bool = True,
) -> ModelProto:
    """Convert a module to ONNX.

    Args:
        network: what to convert.
        inputs: two rows of each, or as many as the batch has where it is not free.
        names: of the inputs.
        outputs: names of the outputs.
        free_batch: whether any number of rows can be given.

    Raises:
        ConversionError: an operator has no ONNX form, or the control flow cannot be followed.
    """
    batch = {0: torch.export.Dim("batch", min=1)}
    shapes = (batch, (batch,) * len(inputs[1:])) if inputs[1:] else (batch,)  # frame, *noise
    # One line for each torchvision operator that is not there: the network does not use them.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), WrittenOut():
            warnings.simplefilter("ignore")  # of torch.export about its own deprecations
            program = torch.onnx.export(
                network.eval(),
                inputs,
                dynamo=True,
                opset_version=OPSET,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=shapes if free_batch else None,
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

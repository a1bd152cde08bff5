# SPDX-License-Identifier: Apache-2.0
"""The TorchScript module ``monitor.pt``: the whole monitor, traced, with the outputs of ``monitor.onnx``."""

import math
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, fx, nn

from export.detectors.entropy import entropy_offset
from export.detectors.entropy_constants import MIN_DIST
from export.detectors.fitted import FittedDetector
from export.detectors.fused import Fused
from export.detectors.registry import DetectorSpec, detector_spec
from export.errors import ConversionError, first_line
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.graphs.detector import inputs_of
from export.graphs.monitor_forms import Form, MonitorOutputs
from export.graphs.noise import NoiseBatch
from export.graphs.segmentation import MonitoredNetwork

TORCHSCRIPT_FILE = "monitor.pt"


class LatentEntropy(nn.Module):
    """The estimate of ``export.detectors.entropy.latent_entropy`` in torch: ``(B, S, C)`` to ``(B, C)`` float32, nats."""

    def __init__(self, samples: int, neighbors: int, min_dist: float = MIN_DIST) -> None:
        super().__init__()
        self.samples, self.neighbors, self.min_dist = samples, neighbors, min_dist
        self.offset = entropy_offset(samples, neighbors)

    def forward(self, latent_samples: Tensor) -> Tensor:
        """Sort, then look at the k + 1 windows of k neighbours around each sample."""
        n, k = self.samples, self.neighbors
        ordered = latent_samples.sort(dim=1).values
        edge = torch.full_like(ordered[:, :1], math.inf).expand(-1, k, -1)
        padded = torch.cat([-edge, ordered, edge], dim=1)
        windows = [
            torch.maximum(ordered - padded[:, k - o : k - o + n], padded[:, 2 * k - o : 2 * k - o + n] - ordered)
            for o in range(k + 1)
        ]
        radius = torch.stack(windows).amin(dim=0).clamp(min=self.min_dist)
        return self.offset + (2 * radius).log().mean(dim=1)


class DetectorScore(nn.Module):
    """A detector's score in torch, scaling and projection included: ``(B, C)`` float32 to ``(B,)`` float64.

    Args:
        detector: the fitted pipeline.
        spec: of its estimator.

    Raises:
        ValueError: the detector has no form in torch.
    """

    centre: Tensor
    deviation: Tensor
    components: Tensor
    mean: Tensor

    def __init__(self, detector: Pipeline, spec: DetectorSpec) -> None:
        super().__init__()
        if spec.torch_score is None:
            raise ValueError(f"expected a detector with a form in torch, got {spec.name}: leave TorchScript out")
        self.score = spec.torch_score(detector[-1])
        steps = dict(detector.steps)
        self.standardised, self.reduced = "scaler" in steps, "pca" in steps
        if self.standardised:
            scaler: StandardScaler = steps["scaler"]
            self.register_buffer("centre", torch.from_numpy(scaler.mean_))
            self.register_buffer("deviation", torch.from_numpy(scaler.scale_))
        if self.reduced:
            pca: PCA = steps["pca"]
            self.register_buffer("components", torch.from_numpy(pca.components_.T / pca.explained_variance_**0.5))
            self.register_buffer("mean", torch.from_numpy(pca.mean_))

    def forward(self, entropy: Tensor) -> Tensor:
        """Scale and project the entropies where the detector does, then score them."""
        rows = entropy.double()
        if self.standardised:
            rows = (rows - self.centre) / self.deviation
        if self.reduced:
            rows = (rows - self.mean) @ self.components
        score: Tensor = self.score(rows)
        return score


class FeaturesScore(nn.Module):
    """A fitted detector in torch: its features ``(B, ...)`` float32 to ``score`` ``(B,)`` and the parts' shares ``(B, P)``.

    The features come in the order of ``inputs``; the shares of a detector of one part are its score. NaN or infinity in a
    feature makes every part that reads it NaN.

    Attributes:
        inputs: names of the features, ``latent_samples`` in place of entropies.

    Args:
        detector: fitted.
        samples: S, where entropies are read.
        neighbors: k of the entropies.

    Raises:
        ValueError: a part has no form in torch.
    """

    centres: Tensor
    scales: Tensor
    weights: Tensor

    def __init__(self, detector: FittedDetector, samples: int, neighbors: int) -> None:
        super().__init__()
        self.inputs = inputs_of(detector.keys)
        self.parts = nn.ModuleList(DetectorScore(part.pipeline, detector_spec(part.kind)) for part in detector.parts)
        self.keys: list[tuple[FeatureKey, ...]] = [part.keys for part in detector.parts]
        self.entropy = LatentEntropy(samples, neighbors) if LATENT_SAMPLES in self.inputs else None
        self.fused = isinstance(detector, Fused)
        if isinstance(detector, Fused):
            self.register_buffer("centres", torch.from_numpy(detector.centres))
            self.register_buffer("scales", torch.from_numpy(detector.scales))
            self.register_buffer("weights", torch.from_numpy(detector.weights))

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Score every part, then standardise, compress and sum where there are several."""
        given = dict(zip(self.inputs, features, strict=True))
        if self.entropy is not None:
            given["entropy"] = self.entropy(given[LATENT_SAMPLES])
        raw = []
        for part, keys in zip(self.parts, self.keys, strict=True):
            rows = torch.cat([given[str(key)] for key in keys], dim=1)
            raw.append(part(rows) + (rows * 0).sum(dim=1))
        shares = torch.stack(raw, dim=1)
        if not self.fused:
            return shares[:, 0], shares
        shares = self.weights * torch.asinh((shares - self.centres) / self.scales)
        return shares.sum(dim=1), shares


class TorchMonitor(nn.Module):
    """Camera frame, and noise where the network takes any, to ``score``, the segmentation, and ``parts`` of a fused detector.

    Args:
        network: gives the segmentation, unless its kind is ``none``, and the features that the detector reads, in its order.
        detector: fitted.
        samples: S, where entropies are read.
        neighbors: k of the entropies.

    Attributes:
        outputs: names of what ``forward`` gives, those of ``monitor.onnx``.

    Raises:
        ValueError: a part of the detector has no form in torch.
    """

    def __init__(self, network: MonitoredNetwork, detector: FittedDetector, samples: int, neighbors: int) -> None:
        super().__init__()
        self.network, self.detector = network, FeaturesScore(detector, samples, neighbors)
        segmentation = [name for name in network.outputs if name not in self.detector.inputs]
        self.outputs = ["score", *segmentation, *(["parts"] if self.detector.fused else [])]

    def forward(self, frame: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 to ``outputs``."""
        given = self.network(frame, *noise)
        split = len(given) - len(self.detector.inputs)
        score, parts = self.detector(*given[split:])
        return (score, *given[:split], *([parts] if self.detector.fused else []))


def trace_monitor(monitor: TorchMonitor, example: Sequence[Tensor]) -> torch.jit.ScriptModule:
    """Trace a monitor with a free batch.

    Args:
        monitor: in evaluation mode.
        example: a batch of frames, and of noise where there is any.

    Raises:
        ConversionError: the tracer cannot follow the network.
    """
    for module in nn.Module.modules(monitor):
        if isinstance(module, fx.GraphModule):
            _make_sizes_traceable(module)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the tracer about Python numbers, and about its own future
            traced = torch.jit.trace(monitor, tuple(example), check_trace=False)  # type: ignore[no-untyped-call]
            return cast(torch.jit.ScriptModule, traced)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise ConversionError(
            f"the network cannot be traced to TorchScript: {first_line(error)}; leave --format torchscript out"
        ) from error


def _make_sizes_traceable(module: fx.GraphModule) -> None:
    """Rewrite sizes that the tracer would take for constants, and the aten operators that read them.

    ``Tensor.size`` gives a number that the tracer follows, and so do the methods of a tensor and torch's functions where they
    read one.
    """
    sizes: set[fx.Node] = set()
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.sym_size.int:
            node.op, node.target = "call_method", "size"
            sizes.add(node)
        elif sizes.isdisjoint(node.all_input_nodes):
            continue
        elif sizes.issuperset(node.all_input_nodes) and not isinstance(node.target, torch._ops.OpOverload):
            sizes.add(node)  # arithmetic
        elif isinstance(node.target, torch._ops.OpOverload):
            name = node.target._schema.name.removeprefix("aten::")
            if node.args and node.args[0] not in sizes and hasattr(torch.Tensor, name):
                node.op, node.target = "call_method", name
            elif hasattr(torch, name):
                node.target = getattr(torch, name)
    module.recompile()


def traced_module(monitor: torch.jit.ScriptModule, outputs: Sequence[str]) -> Form:
    """Make the form of ``monitor.pt``: the module, saved to a file and loaded again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TORCHSCRIPT_FILE
        monitor.save(str(path))
        loaded = torch.jit.load(str(path))  # type: ignore[no-untyped-call]

    def run(frames: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        with torch.inference_mode():
            results = loaded(torch.from_numpy(frames), *map(torch.from_numpy, noise))
        return {name: result.numpy() for name, result in zip(outputs, results, strict=True)}

    return run

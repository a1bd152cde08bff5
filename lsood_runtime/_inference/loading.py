# SPDX-License-Identifier: Apache-2.0
"""From a verified bundle to two graphs that run, on the providers that were asked for."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from lsood_runtime._bundle.files import DETECTOR_FILE, SEGMENTATION_FILE
from lsood_runtime._bundle.golden import GoldenFrames
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.reader import Bundle
from lsood_runtime._exceptions import BundleError, ProviderError, SelfTestError
from lsood_runtime._inference.frame_pass import DevicePass, HostPass, Pass
from lsood_runtime._inference.graph import Graph, Signature
from lsood_runtime._inference.providers import (
    CPU,
    CUDA,
    TENSORRT,
    ResolvedProvider,
    captures_graph,
    check_available,
    session_options,
)

_SUITED = {"fp16": (CUDA, TENSORRT), "int8": (CPU,), "int8-tensorrt": (TENSORRT,)}

_LOG = logging.getLogger("lsood_runtime")


@dataclass(frozen=True, slots=True)
class Loading:
    """How the graphs are to be loaded.

    Attributes:
        providers: in order of preference.
        allow_fallback: try the remaining providers, and at last the CPU, where one does not run.
        threads: of the CPU provider within an operator; None for one a core.
        batch: frames of every run; None leaves it free.
        configure: changes the options of each session before it loads.
        self_test: replay the golden frames.
    """

    providers: Sequence[ResolvedProvider]
    allow_fallback: bool
    threads: int | None
    batch: int | None
    configure: Callable[[ort.SessionOptions], None] | None
    self_test: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """Both graphs on one provider.

    Attributes:
        way: from frames to scores.
        provider: full name of the one that runs.
        placement: nodes of both graphs by provider; empty where this ONNX Runtime does not tell.
    """

    way: Pass
    provider: str
    placement: dict[str, int]


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How the golden frames came out on the provider in use; scores in the unit of the detector.

    Attributes:
        provider: that ran.
        scores: of the golden frames.
        expected: their scores at export.
        tolerance: how far a score may be off.
        placement: nodes of both graphs by provider; empty where this ONNX Runtime does not tell.
    """

    provider: str
    scores: tuple[float, ...]
    expected: tuple[float, ...]
    tolerance: float
    placement: dict[str, int]

    @property
    def errors(self) -> tuple[float, ...]:
        """Distance of each score from the one at export; NaN where a score is no number."""
        return tuple(abs(score - expected) for score, expected in zip(self.scores, self.expected, strict=True))

    @property
    def passed(self) -> bool:
        """Whether every score lies within the tolerance."""
        return all(error <= self.tolerance for error in self.errors)

    def require(self) -> None:
        """Raise where the test has failed.

        Raises:
            SelfTestError: a score lies outside the tolerance.
        """
        for i, error in enumerate(self.errors):
            if not error <= self.tolerance:
                raise SelfTestError(
                    f"expected golden frame {i} to score {self.expected[i]:.6g} within {self.tolerance:.3g}, got "
                    f"{self.scores[i]:.6g} on {self.provider}: this machine computes something else than the exporter; "
                    "do not rely on it"
                )


def load(contents: Bundle, how: Loading) -> Loaded:
    """Load both graphs, and run the golden frames through them.

    Raises:
        BundleError: a graph cannot be loaded, or is not what the manifest says.
        ProviderError: no provider that may be tried runs here.
        SelfTestError: a golden frame does not get its score back.
    """
    candidates = [how.providers]
    if how.allow_fallback:
        candidates += [how.providers[start:] for start in range(1, len(how.providers))] + [[(CPU, {})]]
    for providers, following in zip(candidates, [*candidates[1:], None], strict=True):
        try:
            check_available(providers)
            loaded = _load(contents, providers, how)
            if how.self_test:
                replay(loaded, contents.golden, how.batch).require()
        except ProviderError as error:
            if following is None:
                raise
            _LOG.warning("%s does not run, going on with %s: %s", providers[0][0], following[0][0], error)
        else:
            return loaded
    raise AssertionError("the last candidate returns or raises")


def replay(loaded: Loaded, golden: GoldenFrames, batch: int | None) -> SelfTest:
    """Score the golden frames, each filling a ``batch`` of its own.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    scores = tuple(golden_score(loaded, golden, i, batch) for i in range(len(golden)))
    tolerance = golden.tolerance["cpu" if loaded.provider == CPU else "gpu"]
    return SelfTest(loaded.provider, scores, tuple(golden.scores.tolist()), tolerance, loaded.placement)


def golden_score(loaded: Loaded, golden: GoldenFrames, index: int, batch: int | None) -> float:
    """Score of one golden frame.

    Raises:
        ProviderError: ONNX Runtime failed.
    """
    copies, pick = batch or 1, slice(index, index + 1)
    noise = {f"noise_{i}": np.repeat(values[pick], copies, axis=0) for i, values in enumerate(golden.noise)}
    return float(loaded.way.run(np.repeat(golden.frames[pick], copies, axis=0), noise).scores[0])


def _load(contents: Bundle, providers: Sequence[ResolvedProvider], how: Loading) -> Loaded:
    precision, (name, provider_options) = contents.manifest.precision.kind, providers[0]
    suited = _SUITED.get(precision, (name,))
    if name not in suited:
        _LOG.warning(
            "a network in %s is made for %s, %s runs it slower than fp32", precision, " or ".join(suited), name
        )
    captures = captures_graph(providers[0])
    if captures and how.batch is None:
        raise ValueError("expected a fixed batch with enable_cuda_graph, since graphs replay one shape: pass batch=1")
    if captures and contents.manifest.masks.mode == "fresh":
        raise BundleError(
            "expected fixed masks or masks from noise with enable_cuda_graph, which would replay the first frame's "
            "fresh masks for ever: leave it out, or export with --masks fixed"
        )
    frame, segmentation, latent_samples, verdict = _signatures(contents.manifest)
    network, detector = (
        Graph(file, graph, contents.weights, providers, _options(how), inputs, outputs)
        for file, graph, inputs, outputs in (
            (SEGMENTATION_FILE, contents.segmentation, frame, {**segmentation, **latent_samples}),
            (DETECTOR_FILE, contents.detector, latent_samples, verdict),
        )
    )
    way: Pass = HostPass(network, detector)
    if name in (CUDA, TENSORRT):
        way = DevicePass(network, detector, "cuda", int(provider_options.get("device_id", 0)), fixed_addresses=captures)
    return Loaded(way, name, dict(Counter(network.placement) + Counter(detector.placement)))


def _options(how: Loading) -> ort.SessionOptions:
    options = session_options(how.threads, how.batch)
    if how.configure is not None:
        how.configure(options)
    return options


def _signatures(manifest: Manifest) -> tuple[Signature, Signature, Signature, Signature]:
    """What the manifest says of the frame, the segmentation, the latent samples and the verdict in the graphs."""
    contract, segmentation, channels = manifest.input, manifest.segmentation, manifest.tap.channels
    size = (segmentation.height, segmentation.width)
    of_kind: dict[str, Signature] = {
        "none": {},
        "classes": {"segmentation": ("tensor(uint8)", size)},
        "logits": {"segmentation": ("tensor(float)", (segmentation.num_classes, *size))},
    }
    noise: Signature = {
        f"noise_{i}": ("tensor(float)", (manifest.masks.count, *shape)) for i, shape in enumerate(manifest.masks.noise)
    }
    return (
        {"frame": ("tensor(uint8)", (contract.frame_height, contract.frame_width, 3)), **noise},
        of_kind[segmentation.kind],
        {"latent_samples": ("tensor(float)", (manifest.masks.count, channels))},
        {"entropy": ("tensor(float)", (channels,)), "score": ("tensor(double)", ())},
    )

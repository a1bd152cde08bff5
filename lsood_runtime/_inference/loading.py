# SPDX-License-Identifier: Apache-2.0
"""Load both graphs of a verified bundle, on the providers that the user named and on no other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from threading import TIMEOUT_MAX
from typing import Any

import onnxruntime as ort

from lsood_runtime._arguments import check_callable, check_count, check_flag, check_number
from lsood_runtime._bundle.files import DETECTOR_FILE, SEGMENTATION_FILE
from lsood_runtime._bundle.reader import Bundle
from lsood_runtime._exceptions import BundleError, ProviderError
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.frame_pass import FramePass, HostPass
from lsood_runtime._inference.graph import Graph, Signature
from lsood_runtime._inference.loaded_graphs import LoadedGraphs
from lsood_runtime._inference.providers import CPU, CUDA, TENSORRT, ResolvedProvider, captures_graph, check_available
from lsood_runtime._inference.self_test import replay
from lsood_runtime._inference.sessions import INTEGER_KERNELS, session_options
from lsood_runtime._inference.signatures import signatures
from lsood_runtime._ort_version import release

MOST_THREADS = 1024
_SUITED = {"fp16": (CUDA, TENSORRT), "int8": (CPU,), "int8-tensorrt": (TENSORRT,)}

_LOG = logging.getLogger("lsood_runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Options for loading the graphs.

    Attributes:
        providers: in order of preference.
        allow_fallback: try the remaining providers, and at last the CPU, where one does not run.
        require_provider: refuse providers that leave nodes of a graph to the CPU.
        threads: of the CPU provider within an operator; None for one a core.
        batch: frames of every run; None leaves it free.
        session_options: changes the options of each session before it loads.
        self_test: replay the golden frames.
        self_test_seconds: that they may take; None for the provider's default.
        keep_features: give the features of each frame with its score.

    Raises:
        TypeError: an option of another type.
        ValueError: a number that is not above 0, or more threads than any machine has.
    """

    providers: Sequence[ResolvedProvider]
    allow_fallback: bool = False
    require_provider: bool = False
    threads: int | None = None
    batch: int | None = None
    session_options: Callable[[ort.SessionOptions], None] | None = None
    self_test: bool = True
    self_test_seconds: float | None = None
    keep_features: bool = False

    def __post_init__(self) -> None:
        default = "pass None for the default"
        if self.threads is not None:
            threads = check_count(self.threads, "at least one thread", default)
            check_count(threads, f"at most {MOST_THREADS} threads", default, most=MOST_THREADS)
        if self.batch is not None:
            check_count(self.batch, "at least one frame in a batch", default)
        check_flag(self.allow_fallback, "allow_fallback")
        check_flag(self.require_provider, "require_provider")
        check_flag(self.self_test, "self_test")
        check_flag(self.keep_features, "keep_features")
        check_callable(self.session_options, "session_options")
        if self.self_test_seconds is not None:
            check_number(self.self_test_seconds, "self_test_seconds above 0", default, lambda s: 0 < s < TIMEOUT_MAX)

    @property
    def arguments(self) -> dict[str, Any]:
        """The options as keyword arguments."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def load_graphs(bundle: Bundle, options: LoadOptions) -> LoadedGraphs:
    """Load both graphs, and run the golden frames through them.

    Raises:
        BundleError: a graph cannot be loaded, or has other inputs or outputs than the manifest states.
        ProviderError: no provider that may be tried runs here.
        SelfTestError: a golden frame does not get its score back.
    """
    candidates = [options.providers]
    if options.allow_fallback:
        candidates += [options.providers[start:] for start in range(1, len(options.providers))] + [[(CPU, {})]]
    for providers, following in pairwise(candidates):
        try:
            return _try_providers(bundle, providers, options)
        except ProviderError as error:
            _LOG.warning("%s does not run, going on with %s: %s", providers[0][0], following[0][0], error)
    return _try_providers(bundle, candidates[-1], options)


def _try_providers(bundle: Bundle, providers: Sequence[ResolvedProvider], options: LoadOptions) -> LoadedGraphs:
    check_available(providers)
    graphs = _load(bundle, providers, options)
    if options.self_test:
        replay(graphs, bundle.golden, options.batch, options.self_test_seconds).require()
    return graphs


def _load(bundle: Bundle, providers: Sequence[ResolvedProvider], options: LoadOptions) -> LoadedGraphs:
    precision, (name, provider_options) = bundle.manifest.precision.kind, providers[0]
    suited = _SUITED.get(precision, (name,))
    if name not in suited:
        _LOG.warning(
            "a network in %s is made for %s, %s runs it slower than fp32", precision, " or ".join(suited), name
        )
    if name == CPU and precision in ("int8", "int8-tensorrt") and release(ort.__version__) < INTEGER_KERNELS:
        _LOG.warning(
            "ONNX Runtime %s rounds %s wrongly, the network runs in float32: for int8 kernels install %s or newer",
            ort.__version__,
            precision,
            ".".join(map(str, INTEGER_KERNELS)),
        )
    captures = captures_graph(providers[0])
    if captures and options.batch is None:
        raise ValueError("expected a fixed batch with enable_cuda_graph, since graphs replay one shape: pass batch=1")
    if captures and bundle.manifest.masks.mode == "fresh":
        raise BundleError(
            "expected fixed masks or masks from noise with enable_cuda_graph, which would replay the first frame's "
            "fresh masks for ever: leave it out, or export with --masks fixed"
        )

    def load(file: str, contents: bytes, inputs: Signature, outputs: Signature) -> Graph:
        of_session, every_node = _session_options(options), options.require_provider
        return Graph(file, contents, bundle.weights, providers, of_session, inputs, outputs, every_node=every_node)

    expected = signatures(bundle.manifest)
    network = load(SEGMENTATION_FILE, bundle.segmentation, expected.frame, expected.network)
    detector = load(DETECTOR_FILE, bundle.detector, expected.features, expected.detector)
    keep = options.keep_features
    frame_pass: FramePass = HostPass(network, detector, keep_features=keep)
    if name in (CUDA, TENSORRT):
        device_id = int(provider_options.get("device_id", 0))
        frame_pass = DevicePass(network, detector, "cuda", device_id, fixed_addresses=captures, keep_features=keep)
    placements = {graph.name: graph.placement for graph in (network, detector)}
    return LoadedGraphs(frame_pass=frame_pass, provider=name, placements=placements)


def _session_options(options: LoadOptions) -> ort.SessionOptions:
    configured = session_options(options.threads, options.batch)
    if options.session_options is not None:
        options.session_options(configured)
    return configured

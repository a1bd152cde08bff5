# SPDX-License-Identifier: Apache-2.0
"""Resolve ONNX Runtime's execution providers by name, and check that this build has them."""

from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from lsood_runtime._arguments import shown
from lsood_runtime._exceptions import ProviderError

Provider = str | tuple[str, dict[str, Any]]
"""An execution provider by name (``cpu``, ``cuda``, ``tensorrt``, or ONNX Runtime's own), or a name with its options."""

ResolvedProvider = tuple[str, dict[str, Any]]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

_SHORT = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
_REMEDY = {
    CUDA: "install lsood-runtime[gpu] in place of [cpu], on a machine with an NVIDIA driver",
    TENSORRT: "install lsood-runtime[gpu] and TensorRT, on a machine with an NVIDIA driver",
}


def resolve_providers(providers: Sequence[Provider] | None) -> list[ResolvedProvider]:
    """Resolve providers to full names and options; to the CPU where none is named.

    Raises:
        TypeError: one string in place of a sequence, or an entry that is neither a name nor ``(name, options)``.
    """
    if isinstance(providers, str):
        raise TypeError(f"expected a sequence of providers, got a string: pass [{providers!r}]")
    if not isinstance(providers, Sequence | None):
        raise TypeError(f"expected a sequence of providers, got {shown(providers)}: pass a list, or None for the CPU")
    resolved = []
    for provider in providers or ["cpu"]:
        pair = (provider, {}) if isinstance(provider, str) else provider
        if not (
            isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], dict)
        ):
            raise TypeError(
                f"expected a provider's name or (name, options), got {shown(provider)}: pass 'cpu' or ('cuda', {{}})"
            )
        name, options = pair
        resolved.append((_SHORT.get(name, name), options))
    return resolved


def check_available(providers: Sequence[ResolvedProvider]) -> None:
    """Check that this build of ONNX Runtime has each provider; only a session shows whether one runs.

    Raises:
        ProviderError: the build does not know one of them.
    """
    available = ort.get_available_providers()
    for name, _ in providers:
        if name not in available:
            raise ProviderError(
                f"expected a provider that this ONNX Runtime has ({', '.join(available)}), got {name}: {remedy(name)}"
            )


def remedy(provider: str) -> str:
    """Remedy where a provider is missing."""
    return _REMEDY.get(provider, "check its name, or install the build that has it")


def captures_graph(provider: ResolvedProvider) -> bool:
    """Whether CUDA records the kernels of a run once and replays them from then on, by the provider's options."""
    name, options = provider
    return name == CUDA and str(options.get("enable_cuda_graph", "0")).lower() in ("1", "true")

# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's execution providers, taken at their word only where the live session confirms it."""

from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from lsood_runtime._exceptions import BundleError, ProviderError

Provider = str | tuple[str, dict[str, Any]]

_SHORT = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_REMEDY = {
    "CUDAExecutionProvider": "install lsood-runtime[gpu] in place of [cpu], on a machine with an NVIDIA driver",
    "TensorrtExecutionProvider": "install lsood-runtime[gpu] and TensorRT, on a machine with an NVIDIA driver",
}


def resolve_providers(providers: Sequence[Provider] | None) -> list[tuple[str, dict[str, Any]]]:
    """Full names and options of the providers asked for; the CPU where none is.

    Raises:
        ProviderError: this build of ONNX Runtime does not know one of them.
    """
    resolved = []
    for provider in providers or ["cpu"]:
        name, options = (provider, {}) if isinstance(provider, str) else provider
        name = _SHORT.get(name, name)
        if name not in ort.get_available_providers():
            raise ProviderError(
                f"expected a provider that this ONNX Runtime has ({', '.join(ort.get_available_providers())}), got {name}: "
                f"{_REMEDY.get(name, 'check its name, or install the build that has it')}"
            )
        resolved.append((name, options))
    return resolved


def open_session(
    graph: bytes, providers: list[tuple[str, dict[str, Any]]], options: ort.SessionOptions
) -> ort.InferenceSession:
    """Create a session and make sure that each provider asked for is in it.

    Raises:
        ProviderError: a provider did not load; ONNX Runtime itself would go on without it in silence.
        BundleError: the graph cannot be loaded.
    """
    try:
        session = ort.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
        raise BundleError(f"ONNX Runtime refused the graph: {str(error).splitlines()[0]}") from error
    loaded = session.get_providers()
    for name, _ in providers:
        if name not in loaded:
            raise ProviderError(
                f"expected {name} to run, this session has only {', '.join(loaded)}: "
                f"{_REMEDY.get(name, 'see the log of ONNX Runtime for the reason')}"
            )
    return session

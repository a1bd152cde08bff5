# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's execution providers: names, options, and how every session is set up."""

import os
from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from lsood_runtime._exceptions import ProviderError

Provider = str | tuple[str, dict[str, Any]]
ResolvedProvider = tuple[str, dict[str, Any]]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
BATCH = "batch"
"""Name of the free first dimension of every input and output of the exported graphs."""

_SHORT = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
_REMEDY = {
    CUDA: "install lsood-runtime[gpu] in place of [cpu], on a machine with an NVIDIA driver",
    TENSORRT: "install lsood-runtime[gpu] and TensorRT, on a machine with an NVIDIA driver",
}


def resolve_providers(providers: Sequence[Provider] | None) -> list[ResolvedProvider]:
    """Full names and options of the providers asked for; the CPU where none is.

    Raises:
        TypeError: one string in place of a sequence, or an entry that is neither a name nor ``(name, options)``.
    """
    if isinstance(providers, str):
        raise TypeError(f"expected a sequence of providers, got a string: pass [{providers!r}]")
    resolved = []
    for provider in providers or ["cpu"]:
        name, options = (provider, {}) if isinstance(provider, str) else provider
        if not isinstance(name, str) or not isinstance(options, dict):
            raise TypeError(f"expected a provider's name or (name, options), got {provider!r}")
        resolved.append((_SHORT.get(name, name), options))
    return resolved


def check_available(providers: Sequence[ResolvedProvider]) -> None:
    """Ask this build of ONNX Runtime for each provider; whether one runs, only a session can say.

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
    """What to do where a provider is missing."""
    return _REMEDY.get(provider, "check its name, or install the build that has it")


def captures_graph(provider: ResolvedProvider) -> bool:
    """Whether CUDA is asked to record the kernels of a run once and to replay them from then on."""
    name, options = provider
    return name == CUDA and str(options.get("enable_cuda_graph", "0")).lower() in ("1", "true")


def session_options(threads: int | None = None, batch: int | None = None) -> ort.SessionOptions:
    """How every session of a monitor is set up; what is timed against a monitor should be set up alike.

    Args:
        threads: threads of the CPU provider within an operator; None for one a core.
        batch: frames of every run; known in advance, arithmetic on shapes is folded away. None leaves it free.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong comes as an exception
    options.intra_op_num_threads = threads or 0
    # Idle threads that spin take the cores from the other session, and from the rest of the vehicle's stack.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A file that the graph itself names would escape the bundle's digests: no such file is ever found on the disk.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if batch is not None:
        options.add_free_dimension_override_by_name(BATCH, batch)
    return options

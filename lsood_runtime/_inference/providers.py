# SPDX-License-Identifier: Apache-2.0
"""Resolve ONNX Runtime's execution providers by name, and check that this build or a registered library has them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from lsood_runtime._arguments import shown
from lsood_runtime._exceptions import ProviderError
from lsood_runtime._inference.ort_reason import ort_reason

Provider = str | tuple[str, dict[str, Any]]
"""An execution provider by name (``cpu``, ``cuda``, ``openvino`` ... or ONNX Runtime's own), or a name with its options."""

ResolvedProvider = tuple[str, dict[str, Any]]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

SHORT_NAMES = {
    "cpu": CPU,
    "cuda": CUDA,
    "tensorrt": TENSORRT,
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
"""Names that users type, with ONNX Runtime's own."""

_OPENVINO, _QNN, _COREML, _DIRECTML, _XNNPACK = list(SHORT_NAMES.values())[3:]
_REMEDY = {
    CUDA: "install lsood-runtime with the extra gpu in place of cpu, on a machine with an NVIDIA driver",
    TENSORRT: "install lsood-runtime with the extra gpu, and TensorRT, on a machine with an NVIDIA driver",
    _OPENVINO: "install onnxruntime-openvino in place of onnxruntime, or register the library of onnxruntime-ep-openvino",
    _QNN: "register the library of onnxruntime-qnn, on a machine with a Qualcomm processor",
    _COREML: "install onnxruntime on a machine of Apple's",
    _DIRECTML: "install onnxruntime-directml in place of onnxruntime, on Windows",
    _XNNPACK: "build ONNX Runtime with --use_xnnpack, which no wheel is",
}


def resolve_providers(providers: Sequence[Provider] | None) -> list[ResolvedProvider]:
    """Resolve providers to full names and options; to the CPU where none is named.

    Raises:
        TypeError: one string in place of a sequence, or an entry that is neither a name nor ``(name, options)``.
        ProviderError: options of the CPU provider, or a provider that is named twice: ONNX Runtime would leave out the
            options, and the second one, without a word.
    """
    if isinstance(providers, str):
        raise TypeError(f"expected a sequence of providers, got a string: pass [{providers!r}]")
    if not isinstance(providers, Sequence | None):
        raise TypeError(f"expected a sequence of providers, got {shown(providers)}: pass a list, or None for the CPU")
    resolved: list[ResolvedProvider] = []
    for provider in providers or ["cpu"]:
        pair = (provider, {}) if isinstance(provider, str) else provider
        if not (
            isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], dict)
        ):
            raise TypeError(
                f"expected a provider's name or (name, options), got {shown(provider)}: pass 'cpu' or ('cuda', {{}})"
            )
        name, options = SHORT_NAMES.get(pair[0], pair[0]), pair[1]
        if name == CPU and options:
            given = ", ".join(f"{key}={value}" for key, value in options.items())
            raise ProviderError(f"expected {CPU} without options, of which it has none, got {given}: leave them out")
        if name in (before for before, _ in resolved):
            raise ProviderError(f"expected each provider once, got {name} twice: name it with all of its options")
        resolved.append((name, options))
    return resolved


def parse_provider(text: str) -> tuple[str, dict[str, Any]]:
    """Parse ``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE``; a comma that no ``KEY=`` follows belongs to the value before it.

    Raises:
        ValueError: no name, an option without a value, or one that is given twice.
    """
    name, colon, rest = text.partition(":")
    options: dict[str, Any] = {}
    for pair in re.split(r",(?=\w+=)", rest) if colon else ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise ValueError(f"expected NAME or NAME:KEY=VALUE,KEY=VALUE, got {text!r}")
        if key in options:
            raise ValueError(f"expected each option once, got {key} twice in {text!r}: keep one of them")
        options[key] = value
    if not name:
        raise ValueError(f"expected a provider's name before its options, got {text!r}")
    return name, options


def register_library(name: str, path: Path) -> None:
    """Register the library of a plug-in provider with ONNX Runtime, for this process.

    Args:
        name: under which it is registered, of the caller's choice; some libraries call their provider by it.
        path: of the library.

    Raises:
        ProviderError: it cannot be loaded, or its provider finds no device on this machine.
    """
    before = _device_names()
    try:
        ort.register_execution_provider_library(name, str(path.absolute()))
    except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
        raise ProviderError(
            f"expected the library of an execution provider, got {path}: {ort_reason(error)}"
        ) from error
    if len(_device_names()) == len(before):
        raise ProviderError(
            f"expected a provider that finds a device on this machine, {path} finds none: check what processor it is for"
        )


def check_available(providers: Sequence[ResolvedProvider]) -> None:
    """Check that ONNX Runtime has each provider, built in or by a registered library; only a session shows whether one runs.

    Raises:
        ProviderError: it does not know one of them.
    """
    available = list(dict.fromkeys([*ort.get_available_providers(), *_device_names()]))
    for name, _ in providers:
        if name not in available:
            raise ProviderError(
                f"expected a provider that this ONNX Runtime has ({', '.join(available)}), got {name}: {remedy(name)}"
            )


def by_name_or_device(
    options: ort.SessionOptions, providers: Sequence[ResolvedProvider]
) -> list[ResolvedProvider] | None:
    """The providers to name to a session; None where they were added to its options instead.

    ONNX Runtime knows plug-in providers by the devices that their libraries found, and not every release by name as well.
    """
    built_in = ort.get_available_providers()
    if all(name in built_in for name, _ in providers):
        return list(providers)
    for name, settings in providers:
        words = {key: str(value) for key, value in settings.items()}
        if name in built_in:
            options.add_provider(name, words)
        else:
            options.add_provider_for_devices([d for d in ort.get_ep_devices() if d.ep_name == name], words)
    return None


def _device_names() -> list[str]:
    """Names of the providers that run on the devices which ONNX Runtime knows, one a device."""
    return [device.ep_name for device in ort.get_ep_devices()]


def remedy(provider: str) -> str:
    """Remedy where a provider is missing."""
    return _REMEDY.get(provider, "check its name, install the build that has it, or register its library")


def remedy_of_start(provider: str) -> str:
    """Remedy where a provider is there, and no session has it: ONNX Runtime says why on the standard error stream alone."""
    if provider in (CUDA, TENSORRT):
        return remedy(provider)
    return "see what ONNX Runtime printed, and check the provider's options, its device and the device's driver"


def captures_graph(provider: ResolvedProvider) -> bool:
    """Whether CUDA records the kernels of a run once and replays them from then on, by the provider's options."""
    name, options = provider
    return name == CUDA and str(options.get("enable_cuda_graph", "0")).lower() in ("1", "true")

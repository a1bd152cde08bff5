# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's execution providers, taken at their word only where the live session confirms it."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._exceptions import BundleError, ProviderError

Provider = str | tuple[str, dict[str, Any]]
Signature = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""ONNX Runtime's type and the shape behind the batch, by name of an input or output."""

CPU = "CPUExecutionProvider"

_SHORT = {"cpu": CPU, "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_REMEDY = {
    "CUDAExecutionProvider": "install lsood-runtime[gpu] in place of [cpu], on a machine with an NVIDIA driver",
    "TensorrtExecutionProvider": "install lsood-runtime[gpu] and TensorRT, on a machine with an NVIDIA driver",
}


def resolve_providers(providers: Sequence[Provider] | None) -> list[tuple[str, dict[str, Any]]]:
    """Full names and options of the providers asked for; the CPU where none is.

    Raises:
        ProviderError: this build of ONNX Runtime does not know one of them.
        TypeError: one string in place of a sequence.
    """
    if isinstance(providers, str):
        raise TypeError(f"expected a sequence of providers, got a string: pass [{providers!r}]")
    resolved = []
    for provider in providers or ["cpu"]:
        name, options = (provider, {}) if isinstance(provider, str) else provider
        name = _SHORT.get(name, name)
        available = ort.get_available_providers()
        if name not in available:
            raise ProviderError(
                f"expected a provider that this ONNX Runtime has ({', '.join(available)}), got {name}: "
                f"{_REMEDY.get(name, 'check its name, or install the build that has it')}"
            )
        resolved.append((name, options))
    return resolved


def session_options(threads: int | None = None) -> ort.SessionOptions:
    """How every session of a monitor is set up; what is timed against a monitor should be set up alike.

    Args:
        threads: threads of the CPU provider within an operator; None for one a core.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong comes as an exception
    options.intra_op_num_threads = threads or 0
    # Idle threads that spin take the cores from the other session, and from the rest of the vehicle's stack.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A file that the graph itself names would escape the bundle's digests: no such file is ever found on the disk.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    return options


class Graph:
    """One ONNX graph on exactly the providers that were asked for.

    Args:
        name: of the graph's file, for messages.
        contents: serialised ONNX.
        weights: files that hold constants of the graph, by the name under which it knows them; any other file is refused.
        providers: as ``resolve_providers`` gives them.
        threads: of the CPU provider within an operator; None leaves the number to ONNX Runtime.
        inputs: what the graph must take.
        outputs: what the graph must give.

    Raises:
        ProviderError: a provider did not load; ONNX Runtime itself would go on without it in silence.
        BundleError: the graph cannot be loaded, or has other inputs or outputs.
    """

    def __init__(
        self,
        name: str,
        contents: bytes,
        weights: Mapping[str, bytes],
        providers: Sequence[tuple[str, dict[str, Any]]],
        threads: int | None,
        inputs: Signature,
        outputs: Signature,
    ) -> None:
        options = session_options(threads)
        if weights:
            names, buffers = list(weights), list(weights.values())
            options.add_external_initializers_from_files_in_memory(names, buffers, list(map(len, buffers)))
        self.name, self.provider = name, providers[0][0]
        try:
            self._session = ort.InferenceSession(contents, options, providers=list(providers), enable_fallback=0)
        except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
            kind = BundleError if self.provider == CPU else ProviderError
            raise kind(f"{self.provider} cannot load {name}: {_one_line(error)}") from error
        self._session.disable_fallback()
        loaded = self._session.get_providers()
        for wanted, _ in providers:
            if wanted not in loaded:
                raise ProviderError(
                    f"expected {wanted} to run {name}, this session has only {', '.join(loaded)}: "
                    f"{_REMEDY.get(wanted, 'see the log of ONNX Runtime for the reason')}"
                )
        self._check("inputs", self._session.get_inputs(), inputs)
        self._check("outputs", self._session.get_outputs(), outputs)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once.

        Raises:
            ProviderError: ONNX Runtime failed; no other provider is tried.
        """
        try:
            results: list[NDArray[Any]] = self._session.run(outputs, inputs)
        except Exception as error:  # as above
            raise ProviderError(f"{self.provider} failed while it ran {self.name}: {_one_line(error)}") from error
        return results

    def _check(self, side: str, nodes: Sequence[Any], wanted: Signature) -> None:
        got = {node.name: (node.type, tuple(node.shape)) for node in nodes}
        if got.keys() != wanted.keys() or not all(_fits(got[name], wanted[name]) for name in wanted):
            expected = {name: (kind, ("B", *shape)) for name, (kind, shape) in wanted.items()}
            raise BundleError(f"expected {self.name} with the {side} {expected}, got {got}: export the bundle again")


def _fits(got: tuple[str, tuple[int | str | None, ...]], wanted: tuple[str, tuple[int | None, ...]]) -> bool:
    """Whether type and rank agree, and each size that the graph states; the batch is free, or 1."""
    (kind, shape), (wanted_kind, wanted_shape) = got, (wanted[0], (1, *wanted[1]))
    same = all(not isinstance(found, int) or found == size for found, size in zip(shape, wanted_shape, strict=False))
    return kind == wanted_kind and len(shape) == len(wanted_shape) and same


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

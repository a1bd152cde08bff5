# SPDX-License-Identifier: Apache-2.0
"""One ONNX graph in a session, on the providers that were named and on no other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._exceptions import BundleError, ProviderError
from lsood_runtime._inference.ort_reason import ort_reason
from lsood_runtime._inference.provider_session import start_session
from lsood_runtime._inference.providers import ResolvedProvider

P = ParamSpec("P")
T = TypeVar("T")

Signature = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""ONNX Runtime's type and the shape behind the batch, by name of an input or output."""


class Graph:
    """One ONNX graph on exactly the providers that were named.

    Args:
        name: of the graph's file, for messages.
        contents: serialised ONNX.
        weights: files that hold constants of the graph, by the name under which it knows them; any other file is refused.
        providers: as ``resolve_providers`` gives them.
        options: of the session; the weights are added to them.
        inputs: what the graph must take.
        outputs: what the graph must give.
        every_node: refuse providers that leave nodes of the graph to the CPU.

    Raises:
        ProviderError: as for :func:`start_session`.
        BundleError: the graph cannot be loaded, or has other inputs or outputs.
    """

    def __init__(
        self,
        name: str,
        contents: bytes,
        weights: Mapping[str, bytes],
        providers: Sequence[ResolvedProvider],
        options: ort.SessionOptions,
        inputs: Signature,
        outputs: Signature,
        *,
        every_node: bool = False,
    ) -> None:
        if weights:
            names, buffers = list(weights), list(weights.values())
            options.add_external_initializers_from_files_in_memory(names, buffers, list(map(len, buffers)))
        self.name, self.provider = name, providers[0][0]
        self.inputs, self.outputs = inputs, outputs
        self.session, self.placement = start_session(
            name, contents, providers, options, BundleError, every_node=every_node
        )
        self._check("inputs", self.session.get_inputs(), inputs)
        self._check("outputs", self.session.get_outputs(), outputs)

    def run(
        self,
        outputs: Sequence[str],
        feed: Mapping[str, NDArray[np.generic]],
        *,
        give_back: bool = False,
        run_options: ort.RunOptions | None = None,
    ) -> list[NDArray[Any]]:
        """Run once from and to host memory.

        Args:
            outputs: names.
            feed: arrays by the names of the inputs.
            give_back: return memory that this run did not need, such as that of a larger batch before it, to the system.
            run_options: of ONNX Runtime, such as those of a time limit.

        Raises:
            ProviderError: ONNX Runtime failed; no other provider is tried.
        """
        if give_back:
            run_options = run_options or ort.RunOptions()
            run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        results: list[NDArray[Any]] = self.guard(self.session.run, outputs, feed, run_options)
        return results

    def guard(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call ONNX Runtime.

        Raises:
            ProviderError: it failed.
        """
        try:
            return call(*arguments, **options)
        except Exception as error:  # of ONNX Runtime, as in the constructor
            raise ProviderError(f"{self.provider} failed while it ran {self.name}: {ort_reason(error)}") from error

    def _check(self, side: str, nodes: Sequence[ort.NodeArg], wanted: Signature) -> None:
        got = {node.name: (node.type, tuple(node.shape)) for node in nodes}
        if got.keys() != wanted.keys() or not all(_fits(got[name], wanted[name]) for name in wanted):
            expected = {name: (kind, ("batch", *shape)) for name, (kind, shape) in wanted.items()}
            raise BundleError(f"expected {self.name} with the {side} {expected}, got {got}: export the bundle again")


def _fits(got: tuple[str, tuple[int | str | None, ...]], wanted: tuple[str, tuple[int | None, ...]]) -> bool:
    """Whether type and rank agree, and each size behind the batch that the graph states."""
    (kind, shape), (wanted_kind, wanted_shape) = got, wanted
    same = all(
        not isinstance(found, int) or found == size for found, size in zip(shape[1:], wanted_shape, strict=False)
    )
    return kind == wanted_kind and len(shape) == len(wanted_shape) + 1 and same

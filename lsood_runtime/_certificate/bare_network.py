# SPDX-License-Identifier: Apache-2.0
"""The network without a monitor, as an ONNX file of the user's, on the provider that is certified."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from lsood_runtime._exceptions import MediaError, ProviderError
from lsood_runtime._inference.ort_reason import ort_reason
from lsood_runtime._inference.provider_session import start_session
from lsood_runtime._inference.providers import CPU, ResolvedProvider
from lsood_runtime._inference.sessions import session_options

_TYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}


def bare_network(
    path: Path, providers: Sequence[ResolvedProvider], threads: int | None = None
) -> Callable[[int], object]:
    """A call that runs the network on one random input, from host memory to host memory.

    Args:
        path: ONNX of one input; a size that it leaves open is 1. Weights may lie in files beside it.
        providers: as the monitor has them.
        threads: of the CPU provider within an operator; None for one a core.

    Raises:
        MediaError: no such file, no ONNX that the CPU provider can load, or an input that is no image.
        ProviderError: the provider does not run it.
    """
    if not os.path.isfile(path):  # noqa: PTH113  of a name that no file system takes it is False as well
        raise MediaError(f"expected the ONNX file of a network, got {path}, which is none: name the file")
    try:
        session = _started(path, providers, threads)
    except ProviderError:
        _started(path, [(CPU, {})], threads)  # what no provider can load is the file's fault
        raise
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        got = ", ".join(f"{each.name} {each.type}" for each in inputs)
        raise MediaError(f"expected a network of one input of images, got {got} in {path}: export the network alone")
    shape = [size if isinstance(size, int) else 1 for size in inputs[0].shape]
    feed = {inputs[0].name: (255 * np.random.default_rng(0).random(shape)).astype(_TYPES[inputs[0].type])}

    def run(_: int) -> object:
        try:
            return session.run(None, feed)
        except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
            raise ProviderError(f"{providers[0][0]} failed while it ran {path.name}: {ort_reason(error)}") from error

    return run


def _started(path: Path, providers: Sequence[ResolvedProvider], threads: int | None) -> ort.InferenceSession:
    file = path.absolute()
    options = session_options(threads, batch=1, weights_folder=str(file.parent))
    try:
        return start_session(path.name, str(file), providers, options, MediaError)[0]
    except MediaError as error:
        raise MediaError(f"expected an ONNX network in {path}: {error}; export it again") from error

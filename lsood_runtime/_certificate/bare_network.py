# SPDX-License-Identifier: Apache-2.0
"""The network without a monitor, as an ONNX file of the user's, on the provider that is certified."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from lsood_runtime._exceptions import MediaError, ProviderError, one_line
from lsood_runtime._inference.placement import check_placement, read_placement
from lsood_runtime._inference.providers import ResolvedProvider, by_name_or_device

_TYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}


def bare_network(
    path: Path, providers: Sequence[ResolvedProvider], options: ort.SessionOptions
) -> Callable[[int], object]:
    """A call that runs the network on one random input, from host memory to host memory.

    Args:
        path: ONNX of one input; a size that it leaves open is 1.
        providers: as the monitor has them.
        options: of the session, as the monitor has them.

    Raises:
        MediaError: no such file, no ONNX, or an input that is no image.
        ProviderError: the provider does not run it.
    """
    if not path.is_file():
        raise MediaError(f"expected the ONNX file of a network, got {path}, which is none: name the file")
    try:
        named = by_name_or_device(options, providers)
        session = ort.InferenceSession(str(path.absolute()), options, providers=named, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
        raise MediaError(f"expected an ONNX network in {path}: {one_line(error)}") from error
    check_placement(path.name, read_placement(session), providers, every_node=False)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        got = ", ".join(f"{each.name} {each.type}" for each in inputs)
        raise MediaError(f"expected a network of one input of images, got {got} in {path}: export the network alone")
    shape = [size if isinstance(size, int) else 1 for size in inputs[0].shape]
    feed = {inputs[0].name: (255 * np.random.default_rng(0).random(shape)).astype(_TYPES[inputs[0].type])}

    def run(_: int) -> object:
        try:
            return session.run(None, feed)
        except Exception as error:  # as above
            raise ProviderError(f"{providers[0][0]} failed while it ran {path.name}: {one_line(error)}") from error

    return run

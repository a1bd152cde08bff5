# SPDX-License-Identifier: Apache-2.0
"""Start a session of ONNX Runtime on the providers that were named, and on no other."""

from collections.abc import Sequence

import onnxruntime as ort

from lsood_runtime._exceptions import LsoodError, ProviderError
from lsood_runtime._inference.ort_reason import ort_reason
from lsood_runtime._inference.placement import Placement, check_placement, read_placement
from lsood_runtime._inference.providers import CPU, ResolvedProvider, by_name_or_device, remedy_of_start


def start_session(
    name: str,
    model: bytes | str,
    providers: Sequence[ResolvedProvider],
    options: ort.SessionOptions,
    unusable: type[LsoodError],
    *,
    every_node: bool = False,
) -> tuple[ort.InferenceSession, Placement]:
    """Load a graph.

    Args:
        name: of the graph's file, for messages.
        model: serialised ONNX, or the path of its file.
        providers: as ``resolve_providers`` gives them.
        options: of the session.
        unusable: the error where the CPU provider cannot load it, which is the graph's own fault.
        every_node: refuse providers that leave nodes of the graph to the CPU.

    Returns:
        The session, and where its nodes run.

    Raises:
        LsoodError: ``unusable``.
        ProviderError: a provider did not load, or none of the graph runs on any but the CPU; ONNX Runtime itself would go
            on without it in silence. (TensorRT knows no float64: its detector runs on the CUDA that follows it.)
    """
    first = providers[0][0]
    try:
        named = by_name_or_device(options, providers)
        session = ort.InferenceSession(model, options, providers=named, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
        kind = unusable if first == CPU else ProviderError
        raise kind(f"{first} cannot load {name}: {ort_reason(error)}") from error
    session.disable_fallback()
    loaded = session.get_providers()
    for wanted, _ in providers:
        if wanted not in loaded:
            raise ProviderError(
                f"expected {wanted} to run {name}, this session has only {', '.join(loaded)}: {remedy_of_start(wanted)}"
            )
    placement = read_placement(session)
    check_placement(name, placement, providers, every_node=every_node)
    return session, placement

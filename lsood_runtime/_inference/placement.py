# SPDX-License-Identifier: Apache-2.0
"""Read from a live session on which provider each node of its graph runs."""

from collections import Counter
from collections.abc import Mapping, Sequence

import onnxruntime as ort

from lsood_runtime._exceptions import ProviderError
from lsood_runtime._inference.providers import CPU, ResolvedProvider, remedy_of_start

Placement = Mapping[str, Mapping[str, int]]
"""Nodes by the full name of the provider that runs them, and there by operator."""

_SHOWN = 4


def read_placement(session: ort.InferenceSession) -> Placement:
    """Nodes of a session's graph by provider and operator; empty where this ONNX Runtime does not report them."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    placement: dict[str, Counter[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        operators = [node.op_type for node in part.get_nodes()]
        placement.setdefault(part.ep_name, Counter()).update(operators)
    return {provider: dict(operators.most_common()) for provider, operators in placement.items()}


def node_counts(placements: Sequence[Placement]) -> dict[str, int]:
    """Nodes of several graphs together by provider."""
    counts: Counter[str] = Counter()
    for placement in placements:
        counts.update({provider: sum(operators.values()) for provider, operators in placement.items()})
    return dict(counts)


def describe(placement: Placement) -> str:
    """Nodes by provider in words, such as ``12 on A, 3 on B``."""
    return ", ".join(f"{count} on {provider}" for provider, count in node_counts([placement]).items())


def describe_operators(operators: Mapping[str, int]) -> str:
    """The most frequent operators in words, such as ``MatMul 6, Cast 3 and 2 more``."""
    words = [f"{name} {count}" for name, count in list(operators.items())[:_SHOWN]]
    left = sum(list(operators.values())[_SHOWN:])
    return ", ".join(words) + (f" and {left} more" if left else "")


def check_placement(
    name: str, placement: Placement, providers: Sequence[ResolvedProvider], *, every_node: bool
) -> None:
    """Refuse a graph of which no node runs on the providers that were named, or not every one does.

    The CPU provider counts where no other is named: ONNX Runtime adds it itself, behind all others.

    Args:
        name: of the graph's file.
        placement: as :func:`read_placement` gives it.
        providers: that were named.
        every_node: refuse a graph of which some nodes run elsewhere as well.

    Raises:
        ProviderError: nodes run elsewhere; the message counts them.
    """
    first = providers[0][0]
    named = {provider for provider, _ in providers} - {CPU} or {CPU}
    if placement and not named & placement.keys():
        raise ProviderError(
            f"expected {first} to run {name}, its nodes are {describe(placement)}: {remedy_of_start(first)}"
        )
    if not every_node:
        return
    if not placement:
        raise ProviderError(
            f"expected to learn where the nodes of {name} run, this ONNX Runtime does not report it: install a newer one, "
            "or leave require_provider out"
        )
    elsewhere = Counter[str]()
    for provider in placement.keys() - named:
        elsewhere.update(placement[provider])
    if elsewhere:
        total = sum(node_counts([placement]).values())
        raise ProviderError(
            f"expected every node of {name} on {' or '.join(sorted(named))}, {sum(elsewhere.values())} of {total} run "
            f"elsewhere ({describe_operators(dict(elsewhere.most_common()))}): leave require_provider out to let "
            "ONNX Runtime's own CPU provider run them, or name another provider"
        )

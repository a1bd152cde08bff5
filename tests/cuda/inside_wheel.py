# SPDX-License-Identifier: Apache-2.0
"""Metadata of onnxruntime-gpu and its placement of graphs, as JSON; runs in an environment that has it, see placement.py."""

import argparse
import json
import os
import sys
from collections import defaultdict
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import onnxruntime as ort

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def kernels() -> dict[str, Any]:
    """The CUDA kernels of ONNX's own operators, and the names of those operators that the CPU provider has kernels of."""
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def

    cuda: dict[str, list[list[Any]]] = defaultdict(list)
    on_cpu = set()
    for kernel in get_all_opkernel_def():
        if kernel.domain not in ("", "ai.onnx"):
            continue
        if kernel.provider == CPU:
            on_cpu.add(kernel.op_name)
        elif kernel.provider == CUDA:
            since, until = kernel.version_range
            types = {name: {_element(kind) for kind in kinds} for name, kinds in kernel.type_constraints.items()}
            cuda[kernel.op_name].append([since, None if until == 2**31 - 1 else until, types])
    table = {name: _merge(cuda[name]) for name in sorted(cuda)}
    return {"wheel": "onnxruntime-gpu", "version": ort.__version__, "cuda": table, "cpu_operators": sorted(on_cpu)}


def _element(kind: str) -> str:
    inside = kind.removeprefix("tensor(")
    return kind if inside == kind else inside.removesuffix(")")


def _merge(variants: list[list[Any]]) -> list[list[Any]]:
    """Kernels that differ in the types of one constraint alone, as one that takes them all."""
    merged: list[list[Any]] = []
    for since, until, types in variants:
        for other in merged:
            same_range = other[:2] == [since, until] and other[2].keys() == types.keys()
            differing = [name for name in types if same_range and types[name] != other[2][name]]
            if same_range and len(differing) <= 1:
                for name in differing:
                    other[2][name] |= types[name]
                break
        else:
            merged.append([since, until, types])
    for variant in merged:
        variant[2] = {name: sorted(kinds) for name, kinds in sorted(variant[2].items())}
    return sorted(merged, key=json.dumps)


def place(model: str, fixed: dict[str, int]) -> dict[str, Any]:
    """Where each node goes, and why a session with no CPU fallback or with CUDA graphs is refused (None: it is not)."""
    return {
        "nodes": _nodes(model, fixed),
        "without_fallback": _refusal(model, fixed, {"session.disable_cpu_ep_fallback": "1"}),
        "cuda_graphs": _refusal(model, fixed, {}, enable_cuda_graph="1"),
    }


def _nodes(model: str, fixed: dict[str, int]) -> dict[str, list[list[str]]]:
    nodes: dict[str, list[list[str]]] = defaultdict(list)
    try:
        session = _session(model, fixed, {"session.record_ep_graph_assignment_info": "1"})
    except Exception:  # no provider runs this graph at all; the two refusals say why
        return nodes
    for group in session.get_provider_graph_assignment_info():
        nodes[group.ep_name] += [[node.op_type, node.name] for node in group.get_nodes()]
    return nodes


def _session(model: str, fixed: dict[str, int], entries: dict[str, str], **cuda: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    for name, size in fixed.items():
        options.add_free_dimension_override_by_name(name, size)
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(model, options, providers=[(CUDA, cuda)], enable_fallback=0)


def _refusal(model: str, fixed: dict[str, int], entries: dict[str, str], **cuda: str) -> str | None:
    try:
        _session(model, fixed, entries, **cuda)
    except Exception as error:  # ONNX Runtime's own classes have no common base that can be imported
        return " ".join(str(error).split())
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="graphs to place; none for the table of kernels")
    parser.add_argument("--fix", action="append", default=[], metavar="DIMENSION=SIZE")
    given = parser.parse_args()
    sizes = {name: int(size) for name, _, size in (pair.partition("=") for pair in given.fix)}
    json.dump([place(model, sizes) for model in given.models] if given.models else kernels(), sys.stdout)

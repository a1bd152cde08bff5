# SPDX-License-Identifier: Apache-2.0
"""Figures of what the script of a GPU pack wrote: latencies, ratios pair by pair, differences and nodes by provider."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.measure import as_json, latency, ratio

ALONE, MONITORED = "alone", "monitored"


def pack_figures(contents: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Figures of every network, provider's variant and way to run it, as ``record`` keeps them.

    Args:
        contents: of ``results.json``, as :mod:`benchmarks.gpu_pack_run` writes it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else.
    """
    figures: list[dict[str, Any]] = []
    for run in contents["runs"]:
        facts = {**run["facts"], "variant": run["variant"]}
        where = f"{run['case']} {run['variant']}"
        times = {name: np.array(seconds, np.float64) for name, seconds in run["seconds"].items()}
        for way in dict.fromkeys(name.partition(", ")[2] for name in times):
            alone, monitored = times[f"{ALONE}, {way}"], times[f"{MONITORED}, {way}"]
            for who, seconds in ((ALONE, alone), (MONITORED, monitored)):
                row = {"name": f"pack: {who}, {way}, {where}", "kind": "latency", "what": who, "way": way}
                figures.append({**row, **as_json(latency(seconds, ())), **facts})
            row = {"name": f"pack: monitored / alone, {way}, {where}", "kind": "ratio", "what": MONITORED, "way": way}
            figures.append({**row, **as_json(ratio(monitored, alone)), **facts})
        told = {name: float(share) for name, share in run["differences"].items()}
        figures.append({"name": f"pack: largest differences, {where}", "kind": "values", **told})
        nodes = {
            f"{who} on {provider}": float(count)
            for who, counts in run["placement"].items()
            for provider, count in counts.items()
        }
        figures.append({"name": f"pack: nodes, CUDA graph {run['cuda_graph']}, {where}", "kind": "values", **nodes})
    return figures

# SPDX-License-Identifier: Apache-2.0
"""Offline stage: turn a trained segmentation checkpoint into a bundle that `lsood_runtime` loads."""

import importlib
import os
from typing import TYPE_CHECKING

# ONNX Runtime reads this while it is imported, so it comes before every other import; a value of the user's own is kept.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from export.functions.benchmarking import benchmark_monitor
    from export.functions.evaluating import evaluate_monitor
    from export.functions.exporting import export_monitor
    from export.functions.merging import merge_fleet
    from export.functions.recalibrating import recalibrate_monitor
    from export.functions.searching import search_detectors
    from export.functions.writing_evidence import write_evidence

__all__ = [
    "benchmark_monitor",
    "evaluate_monitor",
    "export_monitor",
    "merge_fleet",
    "recalibrate_monitor",
    "search_detectors",
    "write_evidence",
]
_MODULES = {
    "benchmark_monitor": "export.functions.benchmarking",
    "evaluate_monitor": "export.functions.evaluating",
    "export_monitor": "export.functions.exporting",
    "merge_fleet": "export.functions.merging",
    "recalibrate_monitor": "export.functions.recalibrating",
    "search_detectors": "export.functions.searching",
    "write_evidence": "export.functions.writing_evidence",
}


def __getattr__(name: str) -> object:
    """A function, whose module is imported when it is asked for: only some need torch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

# SPDX-License-Identifier: Apache-2.0
"""Versions of the software that a bundle was made with."""

import platform
from importlib.metadata import version

from export.graphs.detector import OPSET
from lsood_runtime import __version__


def versions() -> dict[str, str | int]:
    """List the versions that detector and thresholds depend on; torch is not among them."""
    return {
        "lsood_runtime": __version__,
        "python": platform.python_version(),
        "opset": OPSET,
        **{name: version(name) for name in ("onnx", "onnxruntime", "numpy", "scikit-learn", "skl2onnx")},
    }

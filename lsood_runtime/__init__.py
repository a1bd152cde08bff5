# SPDX-License-Identifier: Apache-2.0
"""Out-of-distribution monitor for segmentation networks in vehicles; needs numpy and ONNX Runtime alone."""

try:
    import onnxruntime as _onnxruntime
except ImportError as error:
    raise ImportError(
        "lsood_runtime needs ONNX Runtime: pip install 'lsood-runtime[cpu]', or 'lsood-runtime[gpu]' for CUDA"
    ) from error

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle import read_manifest
from lsood_runtime._exceptions import (
    BundleError,
    ClosedError,
    FrameError,
    LsoodError,
    MediaError,
    ProviderError,
    SelfTestError,
)
from lsood_runtime._manifest import SCHEMA, Manifest
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._version import __version__

del _onnxruntime

__all__ = [
    "SCHEMA",
    "Assessment",
    "BundleError",
    "ClosedError",
    "FrameError",
    "LsoodError",
    "Manifest",
    "MediaError",
    "OoDMonitor",
    "ProviderError",
    "SelfTestError",
    "State",
    "__version__",
    "read_manifest",
]

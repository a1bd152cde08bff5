# SPDX-License-Identifier: Apache-2.0
"""The oldest ONNX Runtime that loads bundles, and what tells older ones apart."""

import re

OLDEST = "1.24.1"
"""Before it, no graph takes its weights from memory; pyproject.toml asks for the same."""


def release(version: str) -> tuple[int, ...]:
    """The numbers at the head of a version, such as ``(1, 26, 0)`` of ``1.26.0.dev20260101``."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def check_ort_version(version: str) -> None:
    """Refuse an ONNX Runtime that is too old.

    Raises:
        ImportError: it is older than :data:`OLDEST`.
    """
    if release(version) < release(OLDEST):
        raise ImportError(
            f"expected ONNX Runtime {OLDEST} or newer, got {version}: pip install --upgrade onnxruntime, or "
            "'onnxruntime-gpu[cuda,cudnn]' for CUDA"
        )

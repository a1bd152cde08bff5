# SPDX-License-Identifier: Apache-2.0
"""Offline stage: turn a trained segmentation checkpoint into a bundle that `lsood_runtime` loads."""

import os

# ONNX Runtime reads this while it is imported, so it comes before every other import; a value of the user's own is kept.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# SPDX-License-Identifier: Apache-2.0
"""Latency of every frame: `make bench`."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before any module here imports ONNX Runtime

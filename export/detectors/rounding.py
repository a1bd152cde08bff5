# SPDX-License-Identifier: Apache-2.0
"""How exactly a feature is known: networks compute in float32, and no detector may tell frames apart by its rounding."""

import numpy as np

RESOLUTION = 8 * float(np.finfo(np.float32).eps)
"""Rounding of a feature behind a deep network, as a share of its level: PyTorch and ONNX Runtime differ by about so much."""

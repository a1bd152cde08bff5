# SPDX-License-Identifier: Apache-2.0
"""Bring a frame to the width of a cell of a sheet."""

import torch

from export.anomalies import Bytes
from export.layers.preprocessing import resize


def at_width(frame: Bytes, width: int) -> Bytes:
    """Resize an ``(H, W, 3)`` uint8 frame to so many columns, in its own proportions, as the graphs of a bundle resize."""
    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    image = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float()
    fitted: Bytes = resize(image, height, width)[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    return fitted

# SPDX-License-Identifier: Apache-2.0
"""A backbone of timm with a small head, as a user writes it."""

import timm
import torch
from torch import nn
from torch.nn import functional as F


class BackboneAndHead(nn.Module):
    """The last two resolutions of a backbone, merged at the finer one."""

    def __init__(self, backbone: str, classes: int, width: int = 64) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, pretrained=False, features_only=True)
        middle, deep = self.backbone.feature_info.channels()[-2:]
        self.middle, self.deep = nn.Conv2d(middle, width, 1), nn.Conv2d(deep, width, 1)
        self.merge = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to logits ``(B, classes, H, W)``."""
        middle, deep = self.backbone(image)[-2:]
        middle = self.middle(middle)
        deep = F.interpolate(self.deep(deep), size=middle.shape[-2:], mode="bilinear")
        logits = self.head(self.merge(torch.cat([middle, deep], dim=1)))
        return F.interpolate(logits, size=image.shape[-2:], mode="bilinear")

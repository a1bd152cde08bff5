# SPDX-License-Identifier: Apache-2.0
"""DeepLabV3+ (Chen et al. 2018, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation").

Parameter names are those of the CEA-LSEA guide's network, so that its checkpoints load with ``strict=True``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.layers.dropblock import DropBlock2D
from export.models.resnet import ResNetFeatures


def _conv_bn_relu(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation if kernel == 3 else 0
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class PooledBranch(nn.Sequential):
    """The image-level branch of ASPP: global mean, 1x1 convolution, spread back over the map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_conv_bn_relu(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, constant over H and W."""
        # A bilinear resize from 1x1 is a broadcast; expand says so and costs nothing.
        pooled: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return pooled.expand(-1, -1, x.shape[-2], x.shape[-1])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling at three rates, with a 1x1 branch and an image-level branch."""

    def __init__(self, inputs: int, outputs: int, rates: tuple[int, int, int]) -> None:
        super().__init__()
        branches: list[nn.Module] = [nn.Sequential(*_conv_bn_relu(inputs, outputs))]
        branches += [nn.Sequential(*_conv_bn_relu(inputs, outputs, kernel=3, dilation=rate)) for rate in rates]
        self.convs = nn.ModuleList([*branches, PooledBranch(inputs, outputs)])
        self.project = nn.Sequential(*_conv_bn_relu(5 * outputs, outputs), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H, W)``."""
        projected: Tensor = self.project(torch.cat([branch(x) for branch in self.convs], dim=1))
        return projected


class DeepLabHeadV3Plus(nn.Module):
    """ASPP on the deep features, merged with the shallow ones at a quarter of the input's size."""

    def __init__(
        self, inputs: int, low_level: int, num_classes: int, rates: tuple[int, int, int], outputs: int = 256
    ) -> None:
        super().__init__()
        reduced = max(1, outputs * 48 // 256)
        self.project = nn.Sequential(*_conv_bn_relu(low_level, reduced))
        self.aspp = ASPP(inputs, outputs, rates)
        self.classifier = nn.Sequential(
            *_conv_bn_relu(outputs + reduced, outputs, kernel=3), nn.Conv2d(outputs, num_classes, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Backbone features to logits ``(N, num_classes, H / 4, W / 4)``."""
        low_level = self.project(features["low_level"])
        deep = F.interpolate(self.aspp(features["out"]), size=low_level.shape[-2:], mode="bilinear")
        logits: Tensor = self.classifier(torch.cat([low_level, deep], dim=1))
        return logits


class DeepLabV3Plus(nn.Module):
    """Segmentation network with a DropBlock layer on the ``layer4`` output, before ASPP.

    Args:
        backbone_name: ``resnet18``, ``resnet34``, ``resnet50`` or ``resnet101``.
        num_classes: channels of the logits.
        output_stride: 8 or 16.
        drop_block: the layer at ``drop_block1``; None leaves it out (the guide's type ``normal``).
        width_multiplier: scales every channel count; 1 is the published network.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        output_stride: int = 16,
        drop_block: DropBlock2D | None = None,
        width_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone = ResNetFeatures(backbone_name, output_stride, width=max(1, round(64 * width_multiplier)))
        rates = (6, 12, 18) if output_stride == 16 else (12, 24, 36)
        self.classifier = DeepLabHeadV3Plus(
            self.backbone.out_channels,
            self.backbone.low_level_channels,
            num_classes,
            rates,
            outputs=max(1, round(256 * width_multiplier)),
        )
        self.drop_block1: nn.Module = nn.Identity() if drop_block is None else drop_block

    def forward(self, x: Tensor) -> Tensor:
        """Segment ``x``, ``(N, 3, H, W)`` float, normalised.

        Returns:
            Logits ``(N, num_classes, H, W)``.
        """
        features = self.backbone(x)
        features["out"] = self.drop_block1(features["out"])
        return F.interpolate(self.classifier(features), size=x.shape[-2:], mode="bilinear")

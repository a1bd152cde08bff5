# SPDX-License-Identifier: Apache-2.0
"""Small networks of every kind that the tap has to deal with; 24 x 32 inputs, five classes."""

from typing import TypeVar

import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import Tensor, nn
from torch.nn import functional as F

from export.layers.dropblock import DropBlock2D

HEIGHT, WIDTH, CLASSES = 24, 32, 5

Network = TypeVar("Network", bound=nn.Module)


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class DropBlockAtTap(nn.Module):
    """As DeepLabV3+: deep features through DropBlock, merged with shallow ones; dropout in the head."""

    def __init__(self, drop_block: nn.Module | None = None) -> None:
        super().__init__()
        self.shallow, self.deep = block(3, 6, stride=2), block(6, 12, stride=2)
        self.drop_block1 = drop_block or DropBlock2D(0.8, 3)
        self.head = nn.Sequential(block(18, 8), nn.Dropout(0.1), nn.Conv2d(8, CLASSES, 1))

    def forward(self, x: Tensor) -> Tensor:
        shallow = self.shallow(x)
        deep = F.interpolate(self.drop_block1(self.deep(shallow)), size=shallow.shape[-2:], mode="bilinear")
        logits: Tensor = self.head(torch.cat([shallow, deep], dim=1))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear")


class ColourClasses(nn.Module):
    """The class of a pixel is the largest of its three channels, so that their order shows; DropBlock in a branch beside."""

    def __init__(self) -> None:
        super().__init__()
        self.deep, self.drop_block1, self.head = block(3, 8, stride=2), DropBlock2D(0.6, 3), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        deep: Tensor = self.head(self.drop_block1(self.deep(x)))
        return 8 * x + F.interpolate(deep, size=x.shape[-2:], mode="bilinear")


class ColourOutput(ColourClasses):
    """Ends as other networks do: ``logit`` and ``sigmoid`` of one channel, ``softmax`` and ``log_softmax`` of three."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        if self.ending in ("logit", "sigmoid"):
            logit = logits[:, 2:] - logits[:, :1]
            return logit if self.ending == "logit" else logit.sigmoid()
        return logits.softmax(1) if self.ending == "softmax" else logits.log_softmax(1)


class DropoutUNet(nn.Module):
    """Dropout at three depths; every skip connection crosses the cut; the layers work in place."""

    drop1: nn.Module
    drop2: nn.Module
    drop3: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = block(3, 6), block(6, 8, stride=2), block(8, 10, stride=2)
        self.drop1, self.drop2, self.drop3 = nn.Dropout2d(0.4), nn.Dropout(0.4), nn.Dropout2d(0.2)
        self.bottleneck = block(10, 12)
        self.up2, self.up1 = block(12 + 8, 8), block(8 + 6, 6)
        self.head = nn.Conv2d(6, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down1(x)
        middle = self.down2(self.drop1(fine))
        coarse = self.down3(self.drop2(middle))
        coarse = self.bottleneck(self.drop3(coarse))
        middle = self.up2(torch.cat([F.interpolate(coarse, scale_factor=2.0), middle], dim=1))
        logits: Tensor = self.head(self.up1(torch.cat([F.interpolate(middle, scale_factor=2.0), fine], dim=1)))
        return logits


class SkipAcrossTheCut(DropoutUNet):
    """The tap, in the decoder, needs the clean features of the encoder beside the dropped ones."""

    def __init__(self) -> None:
        super().__init__()
        self.drop1 = self.drop2 = nn.Identity()
        self.drop3 = PackageDropBlock2D(block_size=2, drop_prob=0.4)


class NoDropout(nn.Module):
    """Nothing stochastic at all."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(block(3, 6, stride=2), block(6, 8, stride=2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Conv2d(8, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        features = features + self.pool(features)
        return F.interpolate(self.head(features), size=x.shape[-2:])


class Attention(nn.Module):
    """Heads folded into the batch, dropout on the attention weights ``(B * heads, N, N)``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.attention_dropout = nn.Dropout(0.2)

    def forward(self, tokens: Tensor) -> Tensor:
        b, n, c = tokens.shape
        split = self.qkv(tokens).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = split.reshape(3, b * self.heads, n, c // self.heads).unbind(0)
        weights = self.attention_dropout(torch.softmax(q @ k.transpose(1, 2) / (c // self.heads) ** 0.5, dim=-1))
        merged = (weights @ v).reshape(b, self.heads, n, c // self.heads).transpose(1, 2).reshape(b, n, c)
        projected: Tensor = self.project(merged)
        return projected


class TransformerSegmenter(nn.Module):
    """Patches, a class token, learned positions, two blocks, and a decoder with the batch as its last axis."""

    def __init__(self, width: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.rows, self.columns = HEIGHT // 8, WIDTH // 8
        self.patches = nn.Conv2d(3, width, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, self.rows * self.columns + 1, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attentions = nn.ModuleList(Attention(width, heads) for _ in range(2))
        self.dropout = nn.Dropout(0.1)  # one module, called twice
        self.encoder_end = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(tokens.shape[0], -1, -1), tokens], dim=1) + self.positions
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            tokens = tokens + self.dropout(attention(norm(tokens)))
        tokens = self.encoder_end(tokens)[:, 1:]
        logits = self.head(tokens).transpose(1, 2).reshape(-1, CLASSES, self.rows, self.columns)
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear")


class BatchSecond(nn.Module):
    """torch's own encoder layer on ``(N, B, C)`` tokens: three dropout layers between positions and batch."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3)
        self.tap, self.head = nn.Linear(8, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).permute(2, 0, 1)
        logits: Tensor = self.head(self.tap(self.encoder(tokens).transpose(0, 1))).transpose(1, 2)
        return logits


class Classifier(nn.Module):
    """A ``(B, C)`` tap with dropout of its own, behind a channel dropout, in front of an in-place layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout2d(0.3))
        self.dropout, self.activation, self.head = nn.Dropout(0.3), nn.ReLU(inplace=True), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.activation(self.dropout(self.features(x).mean(dim=(2, 3)))))
        return logits


def settled(network: Network) -> Network:
    """In evaluation mode, with running statistics that training could have left."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.empty(module.num_features).uniform_(-0.2, 0.2)
            module.running_var = torch.empty(module.num_features).uniform_(0.5, 1.5)
    return network.eval()

# SPDX-License-Identifier: Apache-2.0
"""ResNet feature extractors (He et al. 2016, "Deep Residual Learning for Image Recognition").

Parameter names are torchvision's, so that its weight files load; strides can be traded for dilation, as DeepLab does.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}


def _conv3x3(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; both may be dilated."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, planes, stride, dilation)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, planes, H / stride, W / stride)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(x)) + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut; the 3x3 one carries stride and dilation."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, stride, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, 4 * planes, H / stride, W / stride)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return torch.relu_(self.bn3(self.conv3(x)) + shortcut)


class ResNetFeatures(nn.Module):
    """A ResNet without its classifier, giving the feature maps after ``layer1`` and ``layer4``.

    Args:
        name: one of ``resnet18``, ``resnet34``, ``resnet50``, ``resnet101``.
        output_stride: 8 or 16; the last one or two stages dilate in place of striding.
        width: channels of the first stage's planes; 64 is the published network.
    """

    def __init__(self, name: str, output_stride: int = 16, width: int = 64) -> None:
        super().__init__()
        if name not in DEPTHS:
            raise ValueError(f"expected a backbone among {', '.join(DEPTHS)}, got {name!r}: choose one")
        if output_stride not in (8, 16):
            raise ValueError(f"expected an output stride of 8 or 16, got {output_stride}: choose one")
        block = BasicBlock if name in ("resnet18", "resnet34") else Bottleneck
        self._inputs, self._dilation = width, 1
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        depths = DEPTHS[name]
        self.layer1 = self._stage(block, width, depths[0], stride=1, dilate=False)
        self.layer2 = self._stage(block, width * 2, depths[1], stride=2, dilate=False)
        self.layer3 = self._stage(block, width * 4, depths[2], stride=2, dilate=output_stride == 8)
        self.layer4 = self._stage(block, width * 8, depths[3], stride=2, dilate=True)
        self.low_level_channels = width * block.expansion
        self.out_channels = width * 8 * block.expansion
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(
        self, block: type[BasicBlock] | type[Bottleneck], planes: int, depth: int, stride: int, dilate: bool
    ) -> nn.Sequential:
        first_dilation = self._dilation
        if dilate:
            self._dilation, stride = self._dilation * stride, 1
        outputs = planes * block.expansion
        downsample = None
        if stride != 1 or self._inputs != outputs:
            downsample = nn.Sequential(
                nn.Conv2d(self._inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )
        blocks = [block(self._inputs, planes, stride, first_dilation, downsample)]
        self._inputs = outputs
        blocks += [block(outputs, planes, 1, self._dilation, None) for _ in range(1, depth)]
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Extract features of ``x``, ``(N, 3, H, W)`` float.

        Returns:
            ``low_level``: ``(N, low_level_channels, H / 4, W / 4)``; ``out``: ``(N, out_channels, H / stride, W / stride)``.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        low_level = self.layer1(x)
        return {"low_level": low_level, "out": self.layer4(self.layer3(self.layer2(low_level)))}

    def load_torchvision_weights(self, path: str | Path) -> None:
        """Load a torchvision classification file such as ``resnet50-0676ba61.pth``; its classifier is left out.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file holds no state dict, or another network's: weights of this backbone are missing, have
                other shapes, or there are others.
        """
        weights = {name: value for name, value in _read_state_dict(Path(path)).items() if not name.startswith("fc.")}
        own = self.state_dict()
        # Files of before 2018 do not count batches; that number changes nothing.
        missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
        faults = {
            "missing": missing,
            "unexpected": [name for name in weights if name not in own],
            "of another shape": [
                f"{name} {tuple(weights[name].shape)} in place of {tuple(value.shape)}"
                for name, value in own.items()
                if name in weights and weights[name].shape != value.shape
            ],
        }
        told = [f"{len(names)} {fault}, first {names[0]}" for fault, names in faults.items() if names]
        if told:
            raise ValueError(
                f"expected weights of this backbone under torchvision's names, {path} holds another network's: "
                f"{'; '.join(told)}: check the name of the backbone"
            )
        self.load_state_dict(weights)


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"expected a torchvision ResNet weights file, found nothing at {path}: check the path")
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load has no error of its own: what a foreign file raises depends on its bytes
        raise ValueError(
            f"expected a torchvision ResNet weights file, cannot read {path}: {str(error).splitlines()[0]}; "
            "pass a file that torch.save wrote of a state dict"
        ) from error
    if not isinstance(contents, dict) or not contents or not all(isinstance(x, Tensor) for x in contents.values()):
        raise ValueError(
            f"expected a state dict, names and tensors, in {path}, got {_outline(contents)}: save the network's state_dict()"
        )
    return contents


def _outline(contents: object) -> str:
    if not isinstance(contents, dict):
        return f"a {type(contents).__name__}"
    return f"a dictionary with {', '.join(map(str, list(contents)[:3])) or 'nothing in it'}"

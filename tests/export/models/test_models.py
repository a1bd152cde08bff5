# SPDX-License-Identifier: Apache-2.0
"""The network against a forward pass written from its parameter names alone, as the guide's code would read them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from export.guide.hook import Hook
from export.guide.mc_samples import deeplabv3p_get_ls_mcd_samples
from export.layers.dropblock import DropBlock2D
from export.models import DeepLabV3PlusModule
from export.models.losses import FocalLoss
from export.models.resnet import DEPTHS, ResNetFeatures
from tests.conftest import save_checkpoint

Weights = dict[str, Tensor]


class ByName:
    """DeepLabV3+ in plain functions over a state dict with the guide's names."""

    def __init__(self, weights: Weights, backbone: str, output_stride: int) -> None:
        self.weights, self.backbone, self.output_stride = weights, backbone, output_stride

    def conv(self, x: Tensor, name: str, **options: Any) -> Tensor:
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), **options)

    def bn(self, x: Tensor, name: str) -> Tensor:
        w = self.weights
        return F.batch_norm(
            x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"]
        )

    def block(self, x: Tensor, name: str, stride: int, dilation: int) -> Tensor:
        short = x
        if f"{name}.downsample.0.weight" in self.weights:
            short = self.bn(self.conv(x, f"{name}.downsample.0", stride=stride), f"{name}.downsample.1")
        spread = {"padding": dilation, "dilation": dilation}
        if f"{name}.conv3.weight" in self.weights:
            x = F.relu(self.bn(self.conv(x, f"{name}.conv1"), f"{name}.bn1"))
            x = F.relu(self.bn(self.conv(x, f"{name}.conv2", stride=stride, **spread), f"{name}.bn2"))
            x = self.bn(self.conv(x, f"{name}.conv3"), f"{name}.bn3")
        else:
            x = F.relu(self.bn(self.conv(x, f"{name}.conv1", stride=stride, **spread), f"{name}.bn1"))
            x = self.bn(self.conv(x, f"{name}.conv2", **spread), f"{name}.bn2")
        return F.relu(x + short)

    def stage(self, x: Tensor, index: int, stride: int, first: int, rest: int) -> Tensor:
        for i in range(DEPTHS[self.backbone][index - 1]):
            name = f"deeplab_v3plus_model.backbone.layer{index}.{i}"
            x = self.block(x, name, stride if i == 0 else 1, first if i == 0 else rest)
        return x

    def features(self, image: Tensor) -> tuple[Tensor, Tensor, tuple[int, int, int]]:
        """Shallow and deep features, and the rates of ASPP."""
        root = "deeplab_v3plus_model.backbone"
        x = F.relu(self.bn(self.conv(image, f"{root}.conv1", stride=2, padding=3), f"{root}.bn1"))
        low = self.stage(F.max_pool2d(x, 3, 2, 1), 1, 1, 1, 1)
        x = self.stage(low, 2, 2, 1, 1)
        if self.output_stride == 16:
            return low, self.stage(self.stage(x, 3, 2, 1, 1), 4, 1, 1, 2), (6, 12, 18)
        return low, self.stage(self.stage(x, 3, 1, 1, 2), 4, 1, 2, 4), (12, 24, 36)

    def __call__(self, image: Tensor) -> Tensor:
        head = "deeplab_v3plus_model.classifier"
        low, x, rates = self.features(image)
        branches = [F.relu(self.bn(self.conv(x, f"{head}.aspp.convs.0.0"), f"{head}.aspp.convs.0.1"))]
        for i, rate in enumerate(rates, start=1):
            y = self.conv(x, f"{head}.aspp.convs.{i}.0", padding=rate, dilation=rate)
            branches.append(F.relu(self.bn(y, f"{head}.aspp.convs.{i}.1")))
        y = self.conv(x.mean(dim=(2, 3), keepdim=True), f"{head}.aspp.convs.4.1")
        y = F.relu(self.bn(y, f"{head}.aspp.convs.4.2"))
        branches.append(F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False))
        x = F.relu(self.bn(self.conv(torch.cat(branches, 1), f"{head}.aspp.project.0"), f"{head}.aspp.project.1"))
        low = F.relu(self.bn(self.conv(low, f"{head}.project.0"), f"{head}.project.1"))
        x = torch.cat([low, F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=False)], 1)
        x = F.relu(self.bn(self.conv(x, f"{head}.classifier.0", padding=1), f"{head}.classifier.1"))
        x = self.conv(x, f"{head}.classifier.3")
        return F.interpolate(x, size=image.shape[2:], mode="bilinear", align_corners=False)


def with_used_statistics(module: DeepLabV3PlusModule) -> DeepLabV3PlusModule:
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.3, 0.3)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize(
    ("backbone", "stride", "width"),
    [("resnet18", 16, 0.25), ("resnet34", 8, 0.125), ("resnet50", 16, 0.125), ("resnet101", 8, 0.0625)],
)
def test_deeplab_logits_equal_a_forward_pass_by_parameter_names(backbone: str, stride: int, width: float) -> None:
    torch.manual_seed(0)
    module = DeepLabV3PlusModule(backbone, n_class=5, output_stride=stride, width_multiplier=width)
    with_used_statistics(module).double()  # random weights make large activations: float32 would cancel
    x = torch.randn(2, 3, 65, 96, dtype=torch.double)
    with torch.inference_mode():
        expected = ByName(dict(module.state_dict()), backbone, stride)(x)
        torch.testing.assert_close(module(x), expected, rtol=1e-9, atol=1e-9)


GUIDE_HYPER_PARAMETERS = {
    "deeplabv3plus_type": "backbone_dropblock2d",
    "dataset": "cityscapes",
    "n_class": 20,
    "output_stride": 16,
    "pretrained_backbone": True,
    "optimizer_lr": 1e-3,
    "pred_loss_type": "cross_entropy",
    "max_nro_epochs": 700,
}


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101"])
def test_deeplab_of_a_guides_checkpoint_gives_its_logits_and_samples(backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = with_used_statistics(DeepLabV3PlusModule(backbone, n_class=20))
    options = GUIDE_HYPER_PARAMETERS | {"backbone_name": backbone}
    path = save_checkpoint(trained, tmp_path / "guide.ckpt", **options)
    module = DeepLabV3PlusModule.load_from_checkpoint(path, map_location="cpu", strict=True).eval().double()

    by_name = ByName({name: value.double() for name, value in trained.state_dict().items()}, backbone, 16)
    frames, labels = torch.randn(2, 3, 96, 160, dtype=torch.double), torch.zeros(2, 96, 160)
    with torch.inference_mode():
        torch.testing.assert_close(module(frames), by_name(frames), rtol=1e-9, atol=1e-9)

    samples, drop_block = 3, module.float().deeplab_v3plus_model.drop_block1
    assert isinstance(drop_block, DropBlock2D)
    drop_block.train()
    loader = DataLoader(TensorDataset(frames.float(), labels))
    got = deeplabv3p_get_ls_mcd_samples(module, loader, samples, Hook(drop_block), seed=3)
    package = PackageDropBlock2D(block_size=8, drop_prob=0.5).train()
    torch.manual_seed(3)
    iter(loader)  # which draws a seed for its workers
    with torch.inference_mode():
        deep = [by_name.features(frame[None])[1] for frame in frames]
        expected = torch.cat([package(x).mean(dim=(2, 3)) for x in deep for _ in range(samples)])
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.max()))
    assert len({tuple(row.tolist()) for row in expected[:samples]}) == samples


def test_deeplab_state_dict_has_the_guides_shapes() -> None:
    shapes = {
        name: tuple(value.shape) for name, value in DeepLabV3PlusModule("resnet50", n_class=20).state_dict().items()
    }
    root = "deeplab_v3plus_model"
    assert shapes[f"{root}.backbone.layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    assert shapes[f"{root}.backbone.layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes[f"{root}.classifier.project.0.weight"] == (48, 256, 1, 1)
    assert shapes[f"{root}.classifier.aspp.convs.4.1.weight"] == (256, 2048, 1, 1)
    assert shapes[f"{root}.classifier.classifier.0.weight"] == (256, 304, 3, 3)
    assert shapes[f"{root}.classifier.classifier.3.bias"] == (20,)
    assert all(name.startswith((f"{root}.backbone.", f"{root}.classifier.")) for name in shapes)


def test_deeplab_tap_is_where_the_guide_puts_its_hook() -> None:
    module = DeepLabV3PlusModule("resnet18", n_class=3, width_multiplier=0.125, drop_prob=0.4, block_size=3).train()
    seen: list[Tensor] = []
    module.deeplab_v3plus_model.drop_block1.register_forward_hook(
        lambda _, inputs, output: seen.extend([inputs[0], output])
    )
    module(torch.randn(2, 3, 128, 128))
    before, after = seen
    assert before.shape == (2, 64, 8, 8)
    assert (after == 0).float().mean() > (before == 0).float().mean()


@pytest.mark.parametrize("stride", [8, 16])
def test_resnet_with_torchvision_weights_loads_them(stride: int, tmp_path: Path) -> None:
    source = ResNetFeatures("resnet18", 16, width=8)
    torch.save(source.state_dict() | {"fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)}, tmp_path / "r.pth")
    target = ResNetFeatures("resnet18", stride, width=8)
    target.load_torchvision_weights(tmp_path / "r.pth")
    torch.testing.assert_close(dict(target.state_dict()), dict(source.state_dict()))
    with pytest.raises(ValueError, match="another network"):
        ResNetFeatures("resnet50", stride, width=8).load_torchvision_weights(tmp_path / "r.pth")
    with pytest.raises(FileNotFoundError, match="nothing at"):
        target.load_torchvision_weights(tmp_path / "missing.pth")


def test_resnet_with_weights_of_before_2018_loads_them(tmp_path: Path) -> None:
    """They do not count the batches that a normalisation has seen."""
    source, target = ResNetFeatures("resnet18", width=4), ResNetFeatures("resnet18", width=4)
    old = {name: value for name, value in source.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "r.pth")
    target.load_torchvision_weights(tmp_path / "r.pth")
    torch.testing.assert_close(dict(target.named_parameters()), dict(source.named_parameters()))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", r"1 missing, first bn1\.bias: check"),
        ("unexpected", r"1 unexpected, first head\.weight: check"),
        ("shape", r"1 of another shape, first conv1\.weight \(8, 3, 7, 7\) in place of \(4, 3, 7, 7\): check"),
        ("checkpoint", "got a dictionary with state_dict, epoch: save"),
        ("list", "got a list: save"),
        ("empty", "got a dictionary with nothing in it: save"),
        ("text", "cannot read"),
        ("module", "cannot read"),
    ],
)
def test_resnet_with_a_wrong_weights_file_says_what_is_wrong(damage: str, message: str, tmp_path: Path) -> None:
    network, path = ResNetFeatures("resnet18", width=4), tmp_path / "r.pth"
    weights = dict(network.state_dict())
    if damage == "missing":
        del weights["bn1.bias"]
    elif damage == "unexpected":
        weights["head.weight"] = torch.zeros(1)
    elif damage == "shape":
        weights["conv1.weight"] = torch.zeros(8, 3, 7, 7)
    whole = {"checkpoint": {"state_dict": weights, "epoch": 1}, "list": [1], "empty": {}, "module": network}
    torch.save(whole.get(damage, weights), path)
    if damage == "text":
        path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=message) as refusal:
        network.load_torchvision_weights(path)
    assert "\n" not in str(refusal.value)


def test_deeplab_module_with_the_guides_hyper_parameters_is_built() -> None:
    module = DeepLabV3PlusModule(
        backbone_name="resnet18",
        deeplabv3plus_type="backbone_dropblock2d",
        dataset="cityscapes",
        n_class=20,
        output_stride=16,
        pretrained_backbone=True,
        optimizer_lr=1e-3,
        optimizer_momentum=0.9,
        optimizer_weight_decay=5e-4,
        pred_loss_type="focal_loss",
        img_pred_weight=2.0,
        len_train_loader_beta=1,
        len_val_loader_beta=1,
        max_nro_epochs=100,
        test_images_path="./*.png",
        label_colours=None,
    )
    assert isinstance(module.criterion, FocalLoss)
    with pytest.raises(ValueError, match="nothing is downloaded"):
        module.on_fit_start()
    module.on_load_checkpoint({})
    module.on_fit_start()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone_name": "vgg16"}, "'vgg16'"),
        ({"output_stride": 4}, "got 4"),
        ({"deeplabv3plus_type": "variational_layer"}, "variational"),
        ({"optimizer": "lion"}, "'lion'"),
        ({"pred_loss_type": "dice"}, "'dice'"),
        ({"drop_prob": 1.5}, "got 1.5"),
    ],
)
def test_deeplab_module_with_an_unknown_value_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeepLabV3PlusModule(**({"backbone_name": "resnet18"} | options))


def test_deeplab_module_with_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match="dropprob"):
        DeepLabV3PlusModule("resnet18", dropprob=0.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_focal_loss_of_void_pixels_leaves_them_out(weighted: bool) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 4, 5, 6, dtype=torch.double), torch.randint(0, 4, (2, 5, 6))
    labels[:, :2] = 255
    weight = torch.rand(4, dtype=torch.double) + 0.5 if weighted else None
    kept = labels != 255
    p = logits.softmax(1).permute(0, 2, 3, 1)[kept].gather(1, labels[kept][:, None])[:, 0]
    w = torch.ones_like(p) if weight is None else weight[labels[kept]]
    expected = (w * (1 - p) ** 2 * -p.log()).sum() / w.sum()
    torch.testing.assert_close(FocalLoss(2.0, 255, weight)(logits, labels), expected)
    cross_entropy = F.cross_entropy(logits, labels, weight, ignore_index=255)
    torch.testing.assert_close(FocalLoss(0.0, 255, weight)(logits, labels), cross_entropy)

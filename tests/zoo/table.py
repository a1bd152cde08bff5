# SPDX-License-Identifier: Apache-2.0
"""The zoo: public segmentation networks of five libraries, from their own constructors."""

from collections.abc import Mapping

from tests.zoo.network import CLASSES, MEAN, STD, ZooNetwork

_IMAGENET = ("--mean", *map(str, MEAN), "--std", *map(str, STD))
_TAP = ("--drop-prob", "0.5", "--block-size", "2")
_UNET = {"channels": [16, 32, 64, 128], "strides": [2, 2, 2]}


def _smp(architecture: str, encoder: str, tap: str = "encoder", **arguments: object) -> ZooNetwork:
    own = {"encoder_name": encoder, "encoder_weights": None, "classes": CLASSES, **arguments}
    return ZooNetwork(
        f"{architecture} ({encoder})",
        "segmentation-models-pytorch",
        f"segmentation_models_pytorch:{architecture}",
        own,
        options=(*_IMAGENET, "--tap", tap, *_TAP),
    )


def _torchvision(function: str, tap: str = "backbone.layer4") -> ZooNetwork:
    return ZooNetwork(
        function,
        "torchvision",
        f"torchvision.models.segmentation:{function}",
        {"num_classes": CLASSES, "weights_backbone": None},
        options=(*_IMAGENET, "--tap", tap, *_TAP),
    )


def _transformers(name: str, function: str, tap: str, size: tuple[int, int] = (128, 192)) -> ZooNetwork:
    return ZooNetwork(
        name,
        "transformers",
        f"hugging_face:{function}",
        {"classes": CLASSES},
        size,
        (*_IMAGENET, "--tap", tap, *_TAP),
        file="hugging_face.py",
    )


def _monai(name: str, arguments: Mapping[str, object], tap: str) -> ZooNetwork:
    sizes = {"spatial_dims": 2, "in_channels": 3, "out_channels": CLASSES}
    return ZooNetwork(
        name, "MONAI", f"monai.networks.nets:{name}", sizes | dict(arguments), options=(*_IMAGENET, "--tap", tap, *_TAP)
    )


NETWORKS = (
    _smp("Unet", "resnet34", "encoder.layer4"),
    _smp("UnetPlusPlus", "resnet18", "encoder.layer4"),
    _smp("FPN", "mobilenet_v2", "encoder.features.18"),
    _smp("PSPNet", "resnet18", "encoder.layer2"),
    _smp("DeepLabV3Plus", "efficientnet-b0", "decoder.aspp"),
    _smp("MAnet", "resnet18", "encoder.layer4"),
    _smp("Linknet", "resnet18", "encoder.layer4"),
    _smp("PAN", "resnet18", "encoder.layer4"),
    _smp("UPerNet", "tu-convnext_atto", "decoder.psp"),
    _smp("Segformer", "mit_b0", "decoder.fuse_stage"),
    _torchvision("deeplabv3_resnet50"),
    _torchvision("deeplabv3_mobilenet_v3_large", "backbone.16"),
    _torchvision("fcn_resnet50"),
    _torchvision("lraspp_mobilenet_v3_large", "backbone.16"),
    _transformers("SegFormer-B0", "segformer", "decode_head.linear_fuse"),
    _transformers("UPerNet (ConvNeXt)", "upernet", "decode_head.bottleneck"),
    _transformers("MobileViTV2", "mobilevit", "segmentation_head.aspp"),
    _transformers("MobileNetV2", "mobilenet", "segmentation_head.conv_aspp"),
    _transformers("BEiT", "beit", "decode_head.psp_bottleneck", (128, 128)),
    _transformers("DPT", "dpt", "neck.fusion_stage.layers.0", (128, 128)),
    _monai("UNet", _UNET | {"num_res_units": 2, "norm": "BATCH"}, "model.1.submodule.1.submodule.1.submodule"),
    _monai("BasicUNet", {"features": [16, 16, 32, 64, 128, 16]}, "down_4"),
    _monai("SegResNet", {"init_filters": 16}, "down_layers.3"),
    _monai("SwinUNETR", {}, "encoder10"),
    ZooNetwork(
        "convnextv2_atto with a head",
        "timm",
        "backbone_and_head:BackboneAndHead",
        {"backbone": "convnextv2_atto", "classes": CLASSES},
        options=("--tap", "merge", *_TAP),
        file="backbone_and_head.py",
    ),
)

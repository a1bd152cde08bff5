# SPDX-License-Identifier: Apache-2.0
"""The zoo: public segmentation networks of five libraries, from their own constructors.

Every command leaves the tap and the constructor's download to the export.
"""

from collections.abc import Mapping

from tests.zoo.network import CLASSES, MEAN, STD, ZooNetwork

_IMAGENET = ("--mean", *map(str, MEAN), "--std", *map(str, STD))
_SMALL = {
    "image_size": 128,
    "hidden_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 192,
}
_UNET = {"channels": [16, 32, 64, 128], "strides": [2, 2, 2]}


def _smp(architecture: str, encoder: str) -> ZooNetwork:
    return ZooNetwork(
        f"{architecture} ({encoder})",
        "segmentation-models-pytorch",
        f"segmentation_models_pytorch:{architecture}",
        {"encoder_name": encoder, "classes": CLASSES},
        options=_IMAGENET,
    )


def _torchvision(function: str) -> ZooNetwork:
    return ZooNetwork(
        function,
        "torchvision",
        f"torchvision.models.segmentation:{function}",
        {"num_classes": CLASSES},
        options=_IMAGENET,
    )


def _transformers(
    name: str, model: str, config: Mapping[str, object], size: tuple[int, int] = (128, 192), remark: str = ""
) -> ZooNetwork:
    return ZooNetwork(
        name,
        "transformers",
        f"transformers:{model}ForSemanticSegmentation",
        {"config": _config(model, num_labels=CLASSES, **config)},
        size,
        _IMAGENET,
        remark,
    )


def _config(model: str, **arguments: object) -> Mapping[str, object]:
    """A configuration object, as the command line builds it."""
    return {"class_path": f"transformers.{model}Config", "init_args": arguments}


def _monai(name: str, arguments: Mapping[str, object]) -> ZooNetwork:
    sizes = {"spatial_dims": 2, "in_channels": 3, "out_channels": CLASSES}
    return ZooNetwork(name, "MONAI", f"monai.networks.nets:{name}", sizes | dict(arguments), options=_IMAGENET)


NETWORKS = (
    _smp("Unet", "resnet34"),
    _smp("UnetPlusPlus", "resnet18"),
    _smp("FPN", "mobilenet_v2"),
    _smp("PSPNet", "resnet18"),
    _smp("DeepLabV3Plus", "efficientnet-b0"),
    _smp("MAnet", "resnet18"),
    _smp("Linknet", "resnet18"),
    _smp("PAN", "resnet18"),
    _smp("UPerNet", "tu-convnext_atto"),
    _smp("Segformer", "mit_b0"),
    _torchvision("deeplabv3_resnet50"),
    _torchvision("deeplabv3_mobilenet_v3_large"),
    _torchvision("fcn_resnet50"),
    _torchvision("lraspp_mobilenet_v3_large"),
    _transformers("SegFormer-B0", "Segformer", {}),
    _transformers(
        "UPerNet (ConvNeXt)",
        "UperNet",
        {
            "backbone_config": _config(
                "ConvNext", hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 2, 1], out_indices=[1, 2, 3, 4]
            ),
            "hidden_size": 64,
            "auxiliary_in_channels": 96,
        },
    ),
    _transformers(
        "MobileViTV2",
        "MobileViTV2",
        {"width_multiplier": 0.5, "aspp_out_channels": 64, "output_stride": 16},
        remark="under the library's random weights, of deviation 0.02, most maps are constants up to rounding; under weights "
        "of deviation 0.25 it is refused: the mean of the lowest 5 % of largest logits differs by 0.00019 from PyTorch's, "
        "where 0.0001 is allowed",
    ),
    _transformers("MobileNetV2", "MobileNetV2", {"output_stride": 16}),
    _transformers(
        "BEiT",
        "Beit",
        _SMALL | {"out_indices": [1, 2, 3, 4], "use_relative_position_bias": True},
        size=(128, 128),
    ),
    _transformers(
        "DPT",
        "DPT",
        _SMALL
        | {
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [16, 32, 64, 64],
            "fusion_hidden_size": 32,
            "use_auxiliary_head": False,
        },
        (128, 128),
    ),
    _monai("UNet", _UNET | {"num_res_units": 2, "norm": "BATCH"}),
    _monai("BasicUNet", {"features": [16, 16, 32, 64, 128, 16]}),
    _monai("SegResNet", {"init_filters": 16}),
    _monai("SwinUNETR", {}),
    ZooNetwork(
        "convnextv2_atto with a head",
        "timm",
        "backbone_and_head:BackboneAndHead",
        {"backbone": "convnextv2_atto", "classes": CLASSES},
        file="backbone_and_head.py",
    ),
)

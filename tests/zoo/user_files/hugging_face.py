# SPDX-License-Identifier: Apache-2.0
"""Networks of transformers, which are built from a configuration object; small ones of each architecture."""

from transformers import (
    BeitConfig,
    BeitForSemanticSegmentation,
    ConvNextConfig,
    DPTConfig,
    DPTForSemanticSegmentation,
    MobileNetV2Config,
    MobileNetV2ForSemanticSegmentation,
    MobileViTV2Config,
    MobileViTV2ForSemanticSegmentation,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)


def segformer(classes: int) -> SegformerForSemanticSegmentation:
    """SegFormer-B0."""
    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=classes))


def upernet(classes: int) -> UperNetForSemanticSegmentation:
    """UPerNet on a small ConvNeXt."""
    backbone = ConvNextConfig(hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 2, 1], out_indices=[1, 2, 3, 4])
    config = UperNetConfig(backbone_config=backbone, hidden_size=64, num_labels=classes, auxiliary_in_channels=96)
    return UperNetForSemanticSegmentation(config)


def mobilevit(classes: int) -> MobileViTV2ForSemanticSegmentation:
    """MobileViTV2 of half the width with DeepLabV3's head."""
    config = MobileViTV2Config(num_labels=classes, width_multiplier=0.5, aspp_out_channels=64, output_stride=16)
    return MobileViTV2ForSemanticSegmentation(config)


def mobilenet(classes: int) -> MobileNetV2ForSemanticSegmentation:
    """MobileNetV2 with DeepLabV3+'s head."""
    return MobileNetV2ForSemanticSegmentation(MobileNetV2Config(num_labels=classes, output_stride=16))


def beit(classes: int) -> BeitForSemanticSegmentation:
    """BEiT for pictures of 128 x 128."""
    config = BeitConfig(
        num_labels=classes,
        image_size=128,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=192,
        out_indices=[1, 2, 3, 4],
        use_relative_position_bias=True,
    )
    return BeitForSemanticSegmentation(config)


def dpt(classes: int) -> DPTForSemanticSegmentation:
    """DPT for pictures of 128 x 128."""
    config = DPTConfig(
        num_labels=classes,
        image_size=128,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=192,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 32, 64, 64],
        fusion_hidden_size=32,
        use_auxiliary_head=False,
    )
    return DPTForSemanticSegmentation(config)

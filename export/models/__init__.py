# SPDX-License-Identifier: Apache-2.0
"""Segmentation networks that the exporter knows without being told."""

from export.models.deeplab_module import DeepLabV3PlusModule
from export.models.probabilistic_unet_module import ProbabilisticUnetModule, ProbabilisticUnetPriorMcdModule

__all__ = ["DeepLabV3PlusModule", "ProbabilisticUnetModule", "ProbabilisticUnetPriorMcdModule"]

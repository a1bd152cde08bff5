# SPDX-License-Identifier: Apache-2.0
"""Frames, labels, and what is done to them before a network sees them."""

from export.anomalies import ANOMALIES, degrade, overlays
from export.data.anomalous import GUIDE_ANOMALIES, AnomalousFrames
from export.data.camvid import CamVid, CamVidDataModule
from export.data.cityscapes import Cityscapes, CityscapesDataModule
from export.data.dataset import Augmentation, SegmentationDataset
from export.data.synthetic import SyntheticRoads, render_scene
from export.data.woodscape import WoodScapeDataModule, WoodScapeDataset
from export.data.woodscape_soiling import WoodScapeSoilingDataModule, WoodScapeSoilingDataset
from export.frames.files import FrameFiles, read_frame

__all__ = [
    "ANOMALIES",
    "GUIDE_ANOMALIES",
    "AnomalousFrames",
    "Augmentation",
    "CamVid",
    "CamVidDataModule",
    "Cityscapes",
    "CityscapesDataModule",
    "FrameFiles",
    "SegmentationDataset",
    "SyntheticRoads",
    "WoodScapeDataModule",
    "WoodScapeDataset",
    "WoodScapeSoilingDataModule",
    "WoodScapeSoilingDataset",
    "degrade",
    "overlays",
    "read_frame",
    "render_scene",
]

# SPDX-License-Identifier: Apache-2.0
"""Data sets of frames and labels, with their augmentation and degradation."""

from export.anomalies import ANOMALIES, degrade, overlays
from export.data.anomalous import GUIDE_ANOMALIES, AnomalousFrames
from export.data.camvid import CamVid, CamVidDataModule
from export.data.cityscapes import Cityscapes, CityscapesDataModule
from export.data.dataset import Augmentation, SegmentationDataset
from export.data.labelled_folder import LabelledFolder, LabelledFolderDataModule
from export.data.published import PublishedDataModule, PublishedFrames, open_dataset
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
    "LabelledFolder",
    "LabelledFolderDataModule",
    "PublishedDataModule",
    "PublishedFrames",
    "SegmentationDataset",
    "SyntheticRoads",
    "WoodScapeDataModule",
    "WoodScapeDataset",
    "WoodScapeSoilingDataModule",
    "WoodScapeSoilingDataset",
    "degrade",
    "open_dataset",
    "overlays",
    "read_frame",
    "render_scene",
]

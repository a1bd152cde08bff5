# SPDX-License-Identifier: Apache-2.0
"""Frames, labels, and what is done to them before a network sees them."""

from export.data.anomalies import ANOMALIES, degrade, overlays
from export.data.camvid import CamVid, CamVidDataModule
from export.data.frames import FrameFiles, read_frame
from export.data.segmentation import Augmentation, SegmentationDataset
from export.data.synthetic import SyntheticRoads, render_scene

__all__ = [
    "ANOMALIES",
    "Augmentation",
    "CamVid",
    "CamVidDataModule",
    "FrameFiles",
    "SegmentationDataset",
    "SyntheticRoads",
    "degrade",
    "overlays",
    "read_frame",
    "render_scene",
]

# SPDX-License-Identifier: Apache-2.0
"""The CEA-LSEA guide's names in one place: change the guide's import lines to this module, and its steps run.

Each name lives in the module where it belongs; nothing is defined here.
"""

from export.data import Cityscapes, CityscapesDataModule, WoodScapeDataModule, WoodScapeDataset
from export.detectors.kde_classifier import KDEClassifier
from export.evaluation.plots import plot_roc_ood_detector, plot_samples_pacmap
from export.guide.entropy import get_dl_h_z
from export.guide.hook import Hook
from export.guide.mc_samples import (
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    probunet_apply_dropout,
    probunet_get_ls_mcd_samples,
)
from export.guide.ood_dataset import build_ood_detection_ds
from export.guide.prior_samples import get_ls_mc_samples_priornet, get_ls_samples_priornet
from export.guide.results import get_ood_detector_results
from export.layers.dropblock import DropBlock2D
from export.models import DeepLabV3PlusModule, ProbabilisticUnetModule, ProbabilisticUnetPriorMcdModule

__all__ = [
    "Cityscapes",
    "CityscapesDataModule",
    "DeepLabV3PlusModule",
    "DropBlock2D",
    "Hook",
    "KDEClassifier",
    "ProbabilisticUnetModule",
    "ProbabilisticUnetPriorMcdModule",
    "WoodScapeDataModule",
    "WoodScapeDataset",
    "build_ood_detection_ds",
    "deeplabv3p_apply_dropout",
    "deeplabv3p_get_ls_mcd_samples",
    "get_dl_h_z",
    "get_ls_mc_samples_priornet",
    "get_ls_samples_priornet",
    "get_ood_detector_results",
    "plot_roc_ood_detector",
    "plot_samples_pacmap",
    "probunet_apply_dropout",
    "probunet_get_ls_mcd_samples",
]

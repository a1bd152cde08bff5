# SPDX-License-Identifier: Apache-2.0
"""The CEA-LSEA guide's names in one place: change the guide's import lines to this module, and its steps run.

Each name lives in the module where it belongs; nothing is defined here.
"""

from export.data import Cityscapes, CityscapesDataModule, WoodScapeDataModule, WoodScapeDataset
from export.dropblock import DropBlock2D
from export.entropy import get_dl_h_z
from export.hook import Hook
from export.kde_classifier import KDEClassifier
from export.mc_samples import (
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    probunet_apply_dropout,
    probunet_get_ls_mcd_samples,
)
from export.metrics import get_ood_detector_results
from export.models import DeepLabV3PlusModule, ProbabilisticUnetModule, ProbabilisticUnetPriorMcdModule
from export.ood_dataset import build_ood_detection_ds
from export.plots import plot_roc_ood_detector, plot_samples_pacmap
from export.prior_samples import get_ls_mc_samples_priornet, get_ls_samples_priornet

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

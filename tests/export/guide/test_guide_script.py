# SPDX-License-Identifier: Apache-2.0
"""The guide's code, import lines and sizes aside, over miniature data sets: from the data module to the results table."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from export.guide import (
    CityscapesDataModule,
    DeepLabV3PlusModule,
    Hook,
    KDEClassifier,
    ProbabilisticUnetPriorMcdModule,
    WoodScapeDataModule,
    build_ood_detection_ds,
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    get_dl_h_z,
    get_ls_mc_samples_priornet,
    get_ood_detector_results,
    plot_roc_ood_detector,
    probunet_apply_dropout,
)
from tests.conftest import save_checkpoint, small_network
from tests.miniature_sets import write_cityscapes, write_woodscape
from tests.paths import EXAMPLES

SCRIPT = EXAMPLES / "guide.py"
GUIDE_COLUMNS = ["fpr", "tpr", "auc", "acc", "mcc", "f1", "fpr@95"]


def cityscapes(root: Path) -> tuple[CityscapesDataModule, CityscapesDataModule]:
    dataset_path = str(write_cityscapes(root, frames=12))
    batch_size = 1
    cs_dm_normal_dlv3p = CityscapesDataModule(
        data_dir=dataset_path,
        batch_size=batch_size,
        target_type="semantic",
        img_size=(64, 128),
        num_workers=0,
        drop_last=True,
        default_transforms=True,
        default_img_mask_transforms=False,
    )
    cs_dm_anomal_dlv3p = CityscapesDataModule(
        data_dir=dataset_path,
        batch_size=batch_size,
        target_type="semantic",
        img_size=(64, 128),
        num_workers=0,
        drop_last=True,
        default_transforms=False,
        default_img_mask_transforms=True,
    )
    return cs_dm_normal_dlv3p, cs_dm_anomal_dlv3p


def woodscape(root: Path) -> tuple[WoodScapeDataModule, WoodScapeDataModule]:
    dataset_path = str(write_woodscape(root, frames=40))
    options: dict[str, Any] = {
        "valid_size": 0.5,
        "test_size": 0.3,
        "img_size": (64, 128),
        "batch_size": 1,
        "seed": 9290,
    }
    normal = WoodScapeDataModule(dataset_path, "semantic", default_transforms=True, **options)
    anomalous = WoodScapeDataModule(dataset_path, "semantic", default_img_mask_transforms=True, **options)
    return normal, anomalous


@pytest.mark.parametrize("make", [cityscapes, woodscape])
def test_guide_script_of_deeplab_ends_in_the_results_table(
    make: Callable[[Path], tuple[Any, Any]], tmp_path: Path
) -> None:
    cs_dm_normal_dlv3p, cs_dm_anomal_dlv3p = make(tmp_path / "set")
    cs_dlv3p_train_loader = cs_dm_normal_dlv3p.train_dataloader()
    cs_dlv3p_valid_loader = cs_dm_normal_dlv3p.val_dataloader()
    cs_dlv3p_test_loader = cs_dm_normal_dlv3p.test_dataloader()
    cs_dlv3p_anomaly_valid_loader = cs_dm_anomal_dlv3p.anomaly_val_dataloader()
    cs_dlv3p_anomaly_test_loader = cs_dm_anomal_dlv3p.anomaly_test_dataloader()
    images, labels = next(iter(cs_dlv3p_train_loader))
    assert (images.shape, labels.shape) == ((1, 3, 64, 128), (1, 64, 128))

    cs_dlv3p_path = save_checkpoint(small_network(), tmp_path / "epoch=1-step=2.ckpt")
    cs_dlv3p_model = DeepLabV3PlusModule.load_from_checkpoint(checkpoint_path=cs_dlv3p_path)
    cs_dlv3p_hook_dropblock2d_layer = Hook(cs_dlv3p_model.deeplab_v3plus_model.drop_block1)

    mc_samples = 10
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cs_dlv3p_model.deeplab_v3plus_model.to(device)
    cs_dlv3p_model.deeplab_v3plus_model.eval()
    cs_dlv3p_model.deeplab_v3plus_model.apply(deeplabv3p_apply_dropout)

    entropies = []
    for loader in (
        cs_dlv3p_valid_loader,
        cs_dlv3p_anomaly_valid_loader,
        cs_dlv3p_test_loader,
        cs_dlv3p_anomaly_test_loader,
    ):
        samples = deeplabv3p_get_ls_mcd_samples(cs_dlv3p_model, loader, mc_samples, cs_dlv3p_hook_dropblock2d_layer)
        assert samples.shape == (mc_samples * len(loader), 32)
        _, h_z_samples_np = get_dl_h_z(samples, mc_samples)
        assert h_z_samples_np.shape == (len(loader), 32)
        entropies.append(h_z_samples_np)

    ind_valid, ood_valid, ind_test, ood_test = entropies
    h_z_train_ds, labels_h_z_train_ds, h_z_test_ds, labels_h_z_test_ds = build_ood_detection_ds(
        ind_valid, ood_valid, ind_test, ood_test
    )
    h_z_odd_monitor = KDEClassifier(bandwidth=0.8)
    h_z_odd_monitor.fit(h_z_train_ds, labels_h_z_train_ds)
    results_table = get_ood_detector_results("cs OoD monitor", h_z_odd_monitor, h_z_test_ds, labels_h_z_test_ds)
    assert list(results_table.columns[:7]) == GUIDE_COLUMNS
    assert list(results_table.index) == ["cs OoD monitor"]
    figures = results_table[["auc", "acc", "mcc", "f1", "fpr@95"]].to_numpy(np.float64)
    assert np.isfinite(figures).all()
    assert np.mean(labels_h_z_test_ds) == 0.5
    assert plot_roc_ood_detector(results_table).axes


@pytest.mark.slow
def test_guide_script_as_a_process_prints_table_and_figures(tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT), "--out", str(tmp_path / "out"), "--frames", "20"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    table = pd.read_csv(tmp_path / "out" / "results.csv", index_col=0)
    assert table.shape == (4, 9)
    assert table["auc"].between(0, 1).all()
    assert all(f"{auc:.4f}" in printed for auc in table["auc"])
    for name in ("roc.png", "pacmap.png"):
        with Image.open(tmp_path / "out" / name) as figure:
            assert len(figure.convert("RGB").getcolors(2**24) or []) > 10


@pytest.mark.parametrize("make", [cityscapes, woodscape])
def test_guide_script_of_the_probabilistic_unet_ends_in_the_results_table(
    make: Callable[[Path], tuple[Any, Any]], tmp_path: Path
) -> None:
    """The prior's latent vector in place of a map: few dimensions, so no PCA, as the guide's code passes it over."""
    normal, anomalous = make(tmp_path / "set")
    torch.manual_seed(0)
    module = ProbabilisticUnetPriorMcdModule(
        n_class=19, num_filters=(6, 8, 10), latent_dim=4, drop_prob=0.5, block_size=3
    )
    path = save_checkpoint(module, tmp_path / "epoch=1-step=2.ckpt")
    prob_unet = ProbabilisticUnetPriorMcdModule.load_from_checkpoint(checkpoint_path=path)
    prob_unet.prob_unet_model.eval()
    prob_unet.prob_unet_model.apply(probunet_apply_dropout)

    mc_samples = 10
    entropies = []
    for loader in (
        normal.val_dataloader(),
        anomalous.anomaly_val_dataloader(),
        normal.test_dataloader(),
        anomalous.anomaly_test_dataloader(),
    ):
        z, _, _, _ = get_ls_mc_samples_priornet(prob_unet, loader, mc_samples)
        entropies.append(get_dl_h_z(z, mc_samples)[1])
        assert entropies[-1].shape == (len(loader), 4)
    ind_valid, ood_valid, ind_test, ood_test = entropies
    train, train_labels, test, labels = build_ood_detection_ds(
        ind_valid, ood_valid, ind_test, ood_test, apply_pca=False
    )
    monitor = KDEClassifier(bandwidth=0.8).fit(train, train_labels)
    results = get_ood_detector_results("probunet", monitor, test, labels)
    assert list(results.columns[:7]) == GUIDE_COLUMNS
    assert np.isfinite(results[["auc", "acc", "mcc", "f1", "fpr@95"]].to_numpy(np.float64)).all()

# SPDX-License-Identifier: Apache-2.0
"""The guide's names: importable from one module, defined in others, and called as the guide calls them."""

import inspect

import numpy as np
import torch
from numpy.typing import NDArray

import export.guide
from export.data.synthetic import SyntheticRoads
from export.guide import (
    Hook,
    KDEClassifier,
    build_ood_detection_ds,
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    get_dl_h_z,
    get_ood_detector_results,
    plot_roc_ood_detector,
)
from tests.conftest import small_network


def test_guide_names_in_the_module_are_defined_elsewhere() -> None:
    for name in export.guide.__all__:
        member = getattr(export.guide, name)
        assert member.__module__.startswith("export.")
        assert member.__module__ != "export.guide"


def test_guide_names_take_arguments_in_the_guides_order() -> None:
    def arguments(name: str) -> list[str]:
        parameters = inspect.signature(getattr(export.guide, name)).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    sampling = ["model_module", "dataloader", "mcd_nro_samples", "hook_dropout_layer"]
    assert arguments("deeplabv3p_get_ls_mcd_samples") == arguments("probunet_get_ls_mcd_samples") == sampling
    assert arguments("get_dl_h_z") == ["dl_z_samples", "mcd_samples_nro"]
    assert arguments("get_ls_samples_priornet") == ["prob_module", "dataloader"]
    assert arguments("get_ls_mc_samples_priornet") == ["prob_module", "dataloader", "mc_samples_nro"]
    assert arguments("plot_samples_pacmap") == ["samples_ind", "samples_ood", "neighbors", "title"]
    assert arguments("plot_roc_ood_detector") == ["results_table", "legend_title", "plot_title"]
    assert arguments("build_ood_detection_ds")[:4] == [
        "ind_valid_data",
        "ood_valid_data",
        "ind_test_data",
        "ood_test_data",
    ]


def test_guide_names_in_sequence_lead_to_the_results_table() -> None:
    """Frames are told from frames that are darkened to a tenth."""
    scenes = SyntheticRoads(32, 64, 128, seed=0)
    frames = torch.from_numpy(np.stack([scenes[i][0] for i in range(32)])).permute(0, 3, 1, 2) / 255
    labels = torch.zeros(32)

    def loader(part: slice, brightness: float) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(frames[i : i + 1] * brightness, labels[i : i + 1]) for i in range(32)[part]]

    model = small_network()
    hook = Hook(model.deeplab_v3plus_model.drop_block1)
    model.deeplab_v3plus_model.eval()
    model.deeplab_v3plus_model.apply(deeplabv3p_apply_dropout)

    def entropy(part: slice, brightness: float) -> NDArray[np.float64]:
        samples = deeplabv3p_get_ls_mcd_samples(model, loader(part, brightness), 10, hook, seed=0)
        return get_dl_h_z(samples, 10)[1]

    valid, test = slice(0, 16), slice(16, 32)
    h_z_train_ds, labels_train, h_z_test_ds, labels_test = build_ood_detection_ds(
        entropy(valid, 1.0), entropy(valid, 0.1), entropy(test, 1.0), entropy(test, 0.1)
    )
    assert h_z_train_ds.shape == h_z_test_ds.shape == (32, 16)
    detector = KDEClassifier(bandwidth=0.8)
    detector.fit(h_z_train_ds, labels_train)
    table = get_ood_detector_results("OoD monitor", detector, h_z_test_ds, labels_test)
    assert float(table["auc"].iloc[0]) > 0.8
    assert len(plot_roc_ood_detector(table).axes[0].get_lines()) == 2

# SPDX-License-Identifier: Apache-2.0
"""Published procedures as the benchmarks write them: they agree with each other and with ours, and leave no trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from benchmarks.peers import Density, GuideProcedure, OnePass, kd_tree_entropies
from export.detectors.entropy import latent_entropy
from export.detectors.fit import fit_detector
from export.layers.dropblock import DropBlock2D
from tests.conftest import INPUT_SIZE, small_network
from tests.paths import ROOT

SAMPLES = 8
PROJECT = ROOT


def test_tree_entropy_of_float32_samples_equals_sorting() -> None:
    samples = np.random.default_rng(0).normal(size=(16, 40)).astype(np.float32)
    np.testing.assert_allclose(kd_tree_entropies(samples), latent_entropy(samples), rtol=1e-9)


def test_peer_score_under_the_same_draws_equals_one_pass() -> None:
    network = small_network().eval()
    tap = network.deeplab_v3plus_model.drop_block1
    assert isinstance(tap, DropBlock2D)
    image = torch.randn(1, 3, *INPUT_SIZE, generator=torch.Generator().manual_seed(0))
    features: list[torch.Tensor] = []
    with tap.register_forward_hook(lambda _module, _inputs, output: features.append(output)), torch.no_grad():
        classes = network(image).argmax(dim=1)
    channels = features[0].shape[1]
    rows = np.random.default_rng(1).normal(size=(50, channels))
    pca = PCA(10, whiten=True, random_state=0).fit(rows)
    exact = Density(pca, rows, 1.0, leaf_size=50)
    guide, one_pass = (kind(network, tap, SAMPLES, exact) for kind in (GuideProcedure, OnePass))
    torch.manual_seed(5)
    by_passes = guide(image)
    torch.manual_seed(5)
    segmentation, score = one_pass(image)  # type: ignore[misc]
    assert score == pytest.approx(by_passes, rel=1e-4)
    np.testing.assert_array_equal(segmentation, classes.numpy())
    torch.manual_seed(6)
    assert guide(image) != by_passes
    assert not tap.training
    assert not tap._forward_hooks


def test_density_of_peers_is_exact_only_without_the_default() -> None:
    rng = np.random.default_rng(2)
    rows, ood = rng.normal(size=(500, 58)), rng.normal(size=(40, 58)) + 1.5
    pca = PCA(58, whiten=True, random_state=0).fit(rows)
    ours = fit_detector("kde", rows, pca_components=58, bandwidth=1.0)
    expected = -ours.score_samples(ood)
    exact, default = (
        np.array([Density(pca, rows, 1.0, **options)(row) for row in ood]) for options in ({"leaf_size": 500}, {})
    )
    np.testing.assert_allclose(exact, expected, rtol=1e-9)
    assert (expected - default).max() > 1  # it errs towards in-distribution scores
    assert (expected - default).min() > -1e-6


@pytest.mark.slow
def test_suite_with_few_rounds_runs_and_is_reported(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    suite = ["-m", "pytest", "benchmarks/test_frame.py", "--benchmark-only", "--backbones", "resnet18", "--pairs", "3"]
    suite += ["--samples", "8", "--frames", "3", "--rates", "10", "--paced-seconds", "0.3"]
    report = ["-m", "benchmarks.report", str(results), "--out", str(tmp_path)]
    # pytest-benchmark times nothing where it finds itself in a worker of pytest-xdist, as this test may be.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    for command in ([*suite, "--benchmark-json", str(results)], report):
        subprocess.run([sys.executable, *command], cwd=PROJECT, env=outside, check=True, capture_output=True)
    written = (tmp_path / "report.md").read_text()
    for name in ("monitored (entropies)", "monitored (fused)"):
        assert f"{name} / alone, resnet18 256x512 S=8" in written
    contents = json.loads(results.read_text())
    assert os.uname().nodename not in json.dumps(contents["machine_info"])

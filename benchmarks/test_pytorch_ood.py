# SPDX-License-Identifier: Apache-2.0
"""pytorch-ood's Monte-Carlo dropout and its single-pass detectors for segmentation, beside ours.

The package imports torchvision, which does not go with the CPU build of torch that this project is tested with: it is
skipped there.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import latency, ratio, take_turns
from benchmarks.networks import Placement, monitored, subject
from export.features.key import FeatureKey, FeatureKind
from export.graphs.output_features import OutputFeatures, grid_stride

detectors = pytest.importorskip("pytorch_ood.detector", exc_type=ImportError)

SAMPLES, WARM_UP, PAUSE, COMPONENTS = 16, 1, 0.05, 58
SINGLE_PASS = {
    "MaxSoftmax": FeatureKind.MAXIMUM_SOFTMAX,
    "MaxLogit": FeatureKind.MAXIMUM_LOGIT,
    "EnergyBased": FeatureKind.ENERGY,
}
"""Name of the class, and the score whose mean over the grid of pixels it must give."""


def test_pytorch_ood(
    placement: Placement, benchmark: BenchmarkFixture, record: Record, pytestconfig: pytest.Config
) -> None:
    backbone = pytestconfig.getoption("--peer-backbone")
    who = subject(backbone, *SMALL)
    image = who.preprocessing(torch.from_numpy(who.frame))
    peers = {name: getattr(detectors, name)(who.network) for name in SINGLE_PASS}
    with torch.no_grad():
        stride = grid_stride(*who.size)
        expected = OutputFeatures(who.network(image))
        for name, kind in SINGLE_PASS.items():
            theirs = peers[name](image)[..., ::stride, ::stride].mean()
            np.testing.assert_allclose(float(theirs), expected[FeatureKey.output_score(kind)].item(), rtol=1e-4)
    peers["MCD"] = detectors.MCD(who.network, samples=SAMPLES)
    assert float(peers["MCD"](image).mean()) > 0  # dropout was on
    assert not who.network.training

    def call(name: str) -> object:
        with torch.no_grad():
            return peers[name](image).mean()

    calls: dict[str, Callable[[], object]] = {name: partial(call, name) for name in peers}
    calls["ours"] = monitored(who, SAMPLES, placement, pca=COMPONENTS)
    times = take_turns(calls, pytestconfig.getoption("--pairs"), WARM_UP, PAUSE)
    where = f"{backbone} {SMALL[0]}x{SMALL[1]} S={SAMPLES}"
    for name in peers:
        record(f"pytorch-ood {name} / ours, {where}", ratio(times[name], times["ours"]), what="pytorch-ood")
        record(f"pytorch-ood {name}, {where}", latency(times[name], ()), what="pytorch-ood")
    benchmark.pedantic(calls["ours"], rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]

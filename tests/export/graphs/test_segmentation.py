# SPDX-License-Identifier: Apache-2.0
"""Networks that have no graph or no trace are refused in one line; graphs of one size equal their own modules."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.errors import ConversionError
from export.features.key import PICTURE, FeatureKey, FeatureKind
from export.graphs.monitor_forms import cpu_session
from export.graphs.segmentation import BareNetwork, MonitoredNetwork, segmentation_graph
from export.graphs.torchscript import TorchMonitor, trace_monitor
from export.layers.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(8, 8, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


class Raising(nn.Module):
    """Raises an error of two lines for every batch."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: ARG002
        raise RuntimeError("expected another shape\nand pages of advice")


def test_monitored_network_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="a segmentation kind among classes, binary, logits, none, got 'masks'"):
        MonitoredNetwork(PREPROCESSING, nn.Identity(), "masks")


def test_segmentation_graph_of_a_network_that_raises_is_refused_with_the_deepest_cause() -> None:
    with pytest.raises(ConversionError) as raised:
        segmentation_graph(BareNetwork(PREPROCESSING, Raising()), 8, 8)
    assert str(raised.value).startswith("the network has no ONNX form: RuntimeError: expected another shape; ")
    assert "\n" not in str(raised.value)


def test_segmentation_graph_that_the_exporter_does_not_return_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: None)
    with pytest.raises(ConversionError, match=r"expected a graph of torch\.onnx\.export, got none"):
        segmentation_graph(BareNetwork(PREPROCESSING, nn.Conv2d(3, 2, 1)), 8, 8)


def test_trace_monitor_of_a_network_that_raises_is_refused() -> None:
    monitor = TorchMonitor.__new__(TorchMonitor)
    nn.Module.__init__(monitor)
    monitor.network = Raising()  # type: ignore[assignment]
    with pytest.raises(ConversionError) as raised:
        trace_monitor(monitor, [torch.zeros(1, 8, 8, 3)])
    assert str(raised.value).startswith(
        "the network cannot be traced to TorchScript: RuntimeError: expected another shape"
    )
    assert "\n" not in str(raised.value)


def test_monitored_network_of_kind_none_with_a_feature_of_the_output_is_refused() -> None:
    with pytest.raises(ValueError, match="expected features inside the network for kind none, got energy/mean"):
        MonitoredNetwork(PREPROCESSING, nn.Identity(), "none", [FeatureKey.output_score(FeatureKind.ENERGY)])


@pytest.mark.parametrize("kind", ["classes", "logits"])
def test_segmentation_graphs_of_one_size_share_no_values_and_equal_their_modules(kind: str) -> None:
    """Features of a shape are converted once in a process: a second network, and the first again, read their own logits."""
    keys = (PICTURE, FeatureKey.output_score(FeatureKind.ENERGY), FeatureKey(FeatureKind.CLASS_SHARE))
    frames = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    networks = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        networks.append(MonitoredNetwork(PREPROCESSING, nn.Conv2d(3, 2, 1), kind, keys).eval())
    graphs = [segmentation_graph(network, 8, 8) for network in (*networks, networks[0])]
    assert graphs[2].SerializeToString(deterministic=True) == graphs[0].SerializeToString(deterministic=True)
    for network, graph in zip(networks, graphs, strict=False):
        with torch.inference_mode():
            wanted = [value.numpy() for value in network(torch.from_numpy(frames))]
        found = cpu_session(graph).run(network.outputs, {"frame": frames})
        for got, value in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-5, atol=1e-5)

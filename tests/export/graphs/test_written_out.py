# SPDX-License-Identifier: Apache-2.0
"""What stands in the place of operations for a conversion equals them, and a graph without it would be refused."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.cli.export import main
from export.errors import ConversionError, ParityError
from export.graphs import written_out
from export.graphs.monitor_forms import cpu_session, run_graph
from export.graphs.segmentation import BareNetwork, segmentation_graph
from export.graphs.written_out import WrittenOut
from export.layers.preprocessing import Preprocessing
from export.sampling.marked_graph import mark_network
from tests.conftest import write_scenes
from tests.networks import NoDropout, settled

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")
OPS = torch.ops.aten


@given(st.data())
def test_written_out_operation_equals_torchs(data: st.DataObject) -> None:
    """Called as a captured graph calls it, on maps of any rank, with places that are hit never, once, and several times."""
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    x = torch.randn(shape, generator=generator)
    read = [data.draw(st.integers(1, size)) for size in shape]
    read[dim] = data.draw(st.integers(1, 6))
    index = torch.randint(shape[dim], read, generator=generator)
    more = [max(size, wide) for size, wide in zip(read, shape, strict=True)]  # a source may be larger than its index
    src = torch.randn(more, generator=generator)
    whole = [*shape]
    whole[dim] = read[dim]
    line, source = torch.randint(shape[dim], (read[dim],), generator=generator), torch.randn(whole, generator=generator)
    keeps = data.draw(st.booleans())
    lower, upper = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))

    def in_place(call: Callable[[Tensor], Tensor]) -> Tensor:
        return call(x.clone())

    def scattered(dim: int, index: Tensor, src: Tensor, name: str, y: Tensor) -> Tensor:
        result: Tensor = OPS.scatter_reduce_.two(y, dim, index, src, name)
        return result

    calls: list[Callable[[], Tensor]] = [lambda: OPS.rrelu.default(x, lower, upper), lambda: OPS.rrelu.default(x)]
    calls += [lambda: in_place(lambda y: OPS.rrelu_.default(y, lower, upper, False))]
    calls += [lambda: OPS.scatter_add.default(x, dim, index, src)]
    for name in REDUCTIONS:
        calls += [partial(OPS.scatter_reduce.two, x, dim, index, src, name, include_self=keeps)]
        calls += [partial(in_place, partial(scattered, dim, index, src, name))]
    for name in REDUCTIONS[1:]:
        calls += [partial(OPS.index_reduce.default, x, dim, line, source, name, include_self=keeps)]
    for name in ("add", "multiply"):
        calls += [partial(OPS.scatter.reduce, x, dim, index, src, reduce=name)]
        calls += [partial(OPS.scatter.value_reduce, x, dim, index, 1.5, reduce=name)]
    for call in calls:
        expected = call()
        with WrittenOut():
            torch.testing.assert_close(call(), expected)


class Regions(NoDropout):
    """Pools channels by groups, as superpixel and point networks pool cells, behind the activations of some of them."""

    def forward(self, x: Tensor) -> Tensor:
        features = F.rrelu(self.encoder(x) - 1, 0.2, 0.6)
        groups = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
        start = torch.full_like(features[:, :4], 0.7)
        places = groups[None, :, None, None].expand_as(features)
        pooled = [start.scatter_reduce(1, places, features, name, include_self=name == "amax") for name in REDUCTIONS]
        pooled += [start.index_reduce(1, groups, features, "mean", include_self=False)]
        mixed = torch.stack(pooled).sum(0).repeat(1, 2, 1, 1) + features
        return F.interpolate(self.head(mixed), size=x.shape[-2:])


def regions() -> nn.Module:
    torch.manual_seed(2)
    return settled(Regions())


def graph(network: nn.Module) -> Any:
    return segmentation_graph(BareNetwork(Preprocessing(32, 64, (0.5,) * 3, (0.2,) * 3), network, "logits"), 32, 64)


def test_segmentation_graph_of_pooled_regions_equals_torch() -> None:
    network = regions()
    frame = torch.randint(256, (2, 32, 64, 3), dtype=torch.uint8)
    got = run_graph(cpu_session(graph(network)), frame.numpy(), ())["segmentation"]
    with torch.no_grad():
        expected = network((frame.permute(0, 3, 1, 2) / 255 - 0.5) / 0.2)
    torch.testing.assert_close(torch.from_numpy(got), expected, rtol=1e-4, atol=1e-4)


class Drawing(NoDropout):
    def forward(self, x: Tensor) -> Tensor:
        return F.rrelu(super().forward(x), training=True)


def test_mark_network_of_a_leaky_activation_is_random_in_training_alone() -> None:
    example = torch.zeros(1, 3, 32, 64)
    assert mark_network(regions(), example, ["encoder"]).output is not None
    with pytest.raises(ConversionError, match=r"without randomness in evaluation mode, it calls aten\.rrelu"):
        mark_network(settled(Drawing()), example, ["encoder"])


class MeanOfRegions(NoDropout):
    """Pools by the mean alone, which torch.onnx takes for the sum."""

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        places = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])[None, :, None, None].expand_as(features)
        pooled = torch.zeros_like(features[:, :4]).scatter_reduce(1, places, features, "mean", include_self=False)
        return F.interpolate(self.head(pooled.repeat(1, 2, 1, 1) + features), size=x.shape[-2:])


@pytest.mark.slow
@pytest.mark.usefixtures("own_conversions")
@pytest.mark.parametrize("mended", [False, True])
def test_export_of_an_operation_that_torch_converts_to_wrong_values_is_right_where_mended_else_refused(
    mended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not mended:
        monkeypatch.setattr(written_out, "_FORMS", {})
    torch.manual_seed(2)
    torch.save(settled(MeanOfRegions()).state_dict(), tmp_path / "network.pt")
    frames = write_scenes(tmp_path / "frames", 60, seed=4, size=(32, 64))
    words = ["--ckpt", tmp_path / "network.pt", "--model", f"{__name__}:MeanOfRegions", "--frames", frames]
    words += ["--mean", *"555", "--std", *"222", "--out", tmp_path / "out", "--tap", "encoder", "--mc-samples", 8]
    words = [f"0.{word}" if word in ("5", "2") else word for word in words]
    code = main([*map(str, words), "--drop-prob", "0.3", "--block-size", "2"])
    assert code == (0 if mended else ParityError.exit_code)
    if not mended:
        assert "disagrees with the PyTorch network" in " ".join(capsys.readouterr().err.split())

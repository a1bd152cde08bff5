# SPDX-License-Identifier: Apache-2.0
"""Hyper-parameters that are wrong by orders of magnitude are refused before they fill the memory."""

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from export.checkpoint import build_limit
from export.checkpoint.build_limit import limited_construction
from export.checkpoint.load import load_checkpoint
from export.checkpoint.state_dicts import find_state_dicts
from export.errors import CheckpointError
from tests.conftest import save_checkpoint, small_network


class WideNetwork(nn.Module):
    """A network that hyper-parameters make wide or deep."""

    def __init__(self, n_class: int = 2, depth: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(depth)), nn.Conv2d(3, n_class, 1))


@pytest.mark.parametrize("value", [10**8, 10**9, 10**12])
def test_load_checkpoint_with_a_number_of_classes_of_a_billion_is_refused_without_the_memory(
    tmp_path: Path, value: int
) -> None:
    module = small_network()
    path = save_checkpoint(module, tmp_path / "wide.ckpt", **(dict(module.hparams) | {"n_class": value}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=r"makes more than .* numbers .* correct them by --model-arg key=value"):
        load_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # kilobytes: less than a gigabyte


@pytest.mark.parametrize("arguments", [{"n_class": 10**9}, {"depth": 10**9}])
def test_load_checkpoint_of_a_users_network_with_a_billion_of_anything_is_refused(
    tmp_path: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_limit, "MOST_TENSORS", 20_000)  # a fiftieth of the time
    torch.save(WideNetwork().state_dict(), tmp_path / "weights.pt")
    spec = f"{__name__}:WideNetwork"
    with pytest.raises(CheckpointError, match="correct them by --model-arg"):
        load_checkpoint(tmp_path / "weights.pt", spec, arguments)
    loaded = load_checkpoint(tmp_path / "weights.pt", spec)
    assert isinstance(loaded.network, WideNetwork)


@given(
    make=st.sampled_from([torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn]),
    sizes=st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=6),
    room=st.integers(0, 100_000),
)
def test_limited_construction_stops_exactly_where_the_numbers_exceed_the_limit(
    make: Any, sizes: list[list[int]], room: int
) -> None:
    sources = find_state_dicts({"state_dict": {"weight": torch.zeros(10)}}, None)
    total = sum(int(torch.Size(size).numel()) for size in sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_limit, "_ROOM", room)
        made: list[list[int]] = []
        try:
            with limited_construction(sources):
                made += [list(make(size).shape) for size in sizes]
        except CheckpointError:
            assert total > room + build_limit.FACTOR * 10
        else:
            assert total <= room + build_limit.FACTOR * 10
            assert made == sizes


def test_limited_construction_leaves_the_random_numbers_and_the_weights_as_they_are() -> None:
    torch.manual_seed(3)
    plain = small_network()
    with limited_construction(find_state_dicts({"state_dict": plain.state_dict()}, None)):
        torch.manual_seed(3)
        watched = small_network()
    for one, other in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert type(next(watched.parameters())) is nn.Parameter

# SPDX-License-Identifier: Apache-2.0
"""Networks that keep something for their next call: capture leaves what is kept as it was, and the graph is right."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from export.sampling.python_state import state_put_back
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from tests.export.sampling import keeping_module
from tests.networks import CLASSES, HEIGHT, WIDTH, settled


def grid(x: Tensor) -> Tensor:
    """A row of positions for each frame."""
    return torch.linspace(0, 1, x.shape[3]).expand(x.shape[0], 1, 1, -1).contiguous()


class Store:
    """Keeps a grid outside any layer."""

    grid: Tensor | None = None


class Keeping(nn.Module):
    """Adds positions that it keeps in one of several ways; ``kept`` and ``store`` are for them to use."""

    def __init__(self, keep: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.head, self.keep = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, CLASSES, 1), keep
        self.kept: dict[str, Any] = {"seen": []}
        self.store = Store()

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        logits: Tensor = self.head(features + self.keep(self, features))
        return logits


def in_an_object(network: Keeping, x: Tensor) -> Tensor:
    if network.store.grid is None or network.store.grid.shape[0] < x.shape[0]:
        network.store.grid = grid(x)
    return network.store.grid[: x.shape[0]]


def in_an_attribute(network: Any, x: Tensor) -> Tensor:
    if getattr(network, "grid", None) is None or network.grid.shape[0] < x.shape[0]:
        network.grid = grid(x)
    kept: Tensor = network.grid[: x.shape[0]]
    return kept


def in_a_buffer(network: Any, x: Tensor) -> Tensor:
    if not hasattr(network, "positions"):
        network.register_buffer("positions", torch.linspace(0, 1, x.shape[3]), persistent=False)
    kept: Tensor = network.positions
    return kept


def in_a_dict(network: Keeping, x: Tensor) -> Tensor:
    size = str(tuple(x.shape))
    if size not in network.kept:
        network.kept[size] = grid(x)
    kept: Tensor = network.kept[size]
    return kept


def largest_in_a_dict(network: Keeping, x: Tensor) -> Tensor:
    if "grid" not in network.kept or network.kept["grid"].shape[0] < x.shape[0]:
        network.kept["grid"] = grid(x)
    kept: Tensor = network.kept["grid"][: x.shape[0]]
    return kept


def in_a_list_beside_the_size(network: Any, x: Tensor) -> Tensor:
    if getattr(network, "frames", 0) < x.shape[0]:
        network.frames = x.shape[0]
        network.kept["seen"].append(grid(x))
    kept: Tensor = network.kept["seen"][-1][: x.shape[0]]
    return kept


GRIDS: dict[str, Tensor] = {}
LATEST: Tensor | None = None


def in_a_dict_of_the_module(_: Keeping, x: Tensor) -> Tensor:
    if "grid" not in GRIDS or GRIDS["grid"].shape[0] < x.shape[0]:
        GRIDS["grid"] = grid(x)
    return GRIDS["grid"][: x.shape[0]]


def in_a_global(_: Keeping, x: Tensor) -> Tensor:
    global LATEST
    if LATEST is None or LATEST.shape[0] < x.shape[0]:
        LATEST = grid(x)
    return LATEST[: x.shape[0]]


class Shared:
    """Keeps a grid in the class itself."""

    grid: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor) -> Tensor:
        if cls.grid is None or cls.grid.shape[0] < x.shape[0]:
            cls.grid = grid(x)
        return cls.grid[: x.shape[0]]


def in_a_class(_: Keeping, x: Tensor) -> Tensor:
    return Shared.of(x)


@functools.lru_cache
def row(width: int) -> Tensor:
    return torch.linspace(0, 1, width)


def in_a_cache(_: Keeping, x: Tensor) -> Tensor:
    return row(x.shape[3])


def in_another_file(_: Keeping, x: Tensor) -> Tensor:
    return keeping_module.grid_of(x)


@pytest.mark.parametrize(
    "keep",
    [
        in_an_object,
        in_an_attribute,
        in_a_buffer,
        in_a_dict,
        largest_in_a_dict,
        in_a_list_beside_the_size,
        in_a_dict_of_the_module,
        in_a_global,
        in_a_class,
        in_a_cache,
        in_another_file,
    ],
)
def test_build_sampler_of_a_network_that_keeps_tensors_leaves_them_and_its_output_as_they_were(
    keep: Callable[[Any, Tensor], Tensor],
) -> None:
    torch.manual_seed(1)
    network = settled(Keeping(keep))
    x = torch.randn(3, 3, HEIGHT, WIDTH)
    with torch.no_grad():
        wanted = network.head((first := network.first(x)) + grid(first))
        sampler = build_sampler(network, x[:1], ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
        for frames in (1, 3, 2):
            output, latent_samples = sampler.module(x[:frames])
            torch.testing.assert_close(output, wanted[:frames], rtol=0, atol=1e-5)
            torch.testing.assert_close(network(x[:frames]), wanted[:frames], rtol=0, atol=1e-5)
            torch.testing.assert_close(latent_samples, sample_passes(network, x[:frames], sampler), rtol=0, atol=1e-5)
    kept = [*network.kept.values(), *network.kept["seen"], *vars(network).values(), network.store.grid]
    kept += [*GRIDS.values(), *keeping_module.GRIDS.values(), LATEST, Shared.grid, row(WIDTH)]
    assert {type(value) for value in kept if isinstance(value, Tensor)} <= {Tensor}
    assert not any(isinstance(value, torch.SymInt) for value in kept)


def test_state_put_back_of_a_network_that_holds_the_table_of_modules_keeps_what_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Keeping(lambda _, x: grid(x))
    network.kept["modules"] = sys.modules
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with state_put_back(network):
        monkeypatch.setitem(sys.modules, "this", sys)
        network.kept["seen"].append(1)
    assert sys.modules["this"] is sys
    assert network.kept["seen"] == []


def of_a_package(**attributes: object) -> Any:
    """An object whose class says that an installed package brings it."""
    made = type("Registry", (), {"__module__": pytest.__name__})()
    vars(made).update(attributes)
    return made


def in_a_store(held: list[Any]) -> Store:
    store = Store()
    vars(store)["held"] = held
    return store


REGISTRY: Any = None


def in_a_registry(_: Keeping, x: Tensor) -> Tensor:
    return grid(x) if REGISTRY is None else x


@pytest.mark.parametrize("holder", ["the network", "a global", "both"])
@pytest.mark.parametrize("between", [list, tuple, lambda held: {"inner": held}, in_a_store])
def test_state_put_back_of_a_global_object_of_a_package_leaves_what_others_of_packages_in_it_hold(
    holder: str, between: Callable[[list[Any]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test runner, a scheduler, a registry: through such objects a global leads to all that the process has."""
    inner = of_a_package(kept=[1])
    held = between([inner])
    registry = of_a_package(kept=[1], held=held)
    network = Keeping(in_a_registry)
    if holder != "the network":
        monkeypatch.setattr(sys.modules[__name__], "REGISTRY", registry)
    if holder != "a global":
        network.kept["registry"] = registry
    with state_put_back(network):
        registry.kept.append(2)
        inner.kept.append(2)
    assert registry.kept == [1]
    follows = holder != "a global" or isinstance(held, Store)  # an object of the user's own is followed wholly
    assert inner.kept == ([1] if follows else [1, 2])

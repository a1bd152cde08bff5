# SPDX-License-Identifier: Apache-2.0
"""Passes that take what repeats from the first one give the bits of whole passes."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.sampling.reference_passes import sample_passes
from export.sampling.repeated_calls import RepeatedCalls
from export.sampling.sampler import Sampler, build_sampler
from tests.export.sampling.test_sampler import CASES, EXAMPLE
from tests.networks import DropoutUNet, settled

CHANNELS = 4


class Counted(nn.Conv2d):
    """A convolution that counts its calls."""

    def __init__(self) -> None:
        super().__init__(CHANNELS, CHANNELS, 3, padding=1)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


class Pair(nn.Module):
    """Gives its input, worked on in place, beside something new."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.mul_(0.5), x + 1]


STEPS: dict[str, Callable[[], nn.Module]] = {
    "convolution": Counted,
    "block that begins in place": lambda: nn.Sequential(nn.ReLU(inplace=True), Counted()),
    "block that ends in place": lambda: nn.Sequential(Counted(), nn.LeakyReLU(0.1, inplace=True)),
    "identity": nn.Identity,
    "flat view and back": lambda: nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (6, 8))),
    "list": Pair,
}
BY_HAND = ("shared activation", "in place by hand", "remember", "add what is remembered", "add in place")


class Drawn(nn.Module):
    """A chain of steps; the names of ``BY_HAND`` stand for operations of the network's own forward."""

    def __init__(self, steps: Sequence[str], dropout: int) -> None:
        super().__init__()
        steps = [*steps[:dropout], "dropout", *steps[dropout:]]
        makers: dict[str, Callable[[], nn.Module]] = STEPS | {"dropout": lambda: nn.Dropout2d(0.4)}
        names = [step if step not in STEPS else f"{i} {step}" for i, step in enumerate(steps)]
        self.layers = nn.ModuleDict(
            {name: makers[step]() for name, step in zip(names, steps, strict=True) if step in makers}
        )
        self.steps = names
        self.activation = nn.LeakyReLU(0.2, inplace=True)  # one module, called wherever it is drawn
        self.tap, self.behind = nn.Conv2d(CHANNELS, 5, 1), nn.Conv2d(5, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, x[:, :1]], dim=1)
        kept = x
        for step in self.steps:
            if step == "shared activation":
                x = self.activation(x)
            elif step == "in place by hand":
                x = x.add_(0.25)
            elif step == "remember":
                kept = x
            elif step == "add what is remembered":
                x = x + kept
            elif step == "add in place":
                x += kept
            else:
                x = self.layers[step](x)
            x = x[0] + x[1] if isinstance(x, list) else x
        logits: Tensor = self.behind(self.tap(x + kept))
        return logits


@pytest.fixture(scope="module")
def drawn_sampler() -> Sampler:
    """Taps, sites and masks, which are the same for every drawn network: passes take nothing else of a sampler."""
    return build_sampler(Drawn([], 0).eval(), torch.zeros(1, 3, 6, 8), ["tap"], mc_samples=5, force=True)


@given(steps=st.lists(st.sampled_from([*STEPS, *BY_HAND]), min_size=2, max_size=9), data=st.data())
@settings(max_examples=100)
def test_sample_passes_of_drawn_networks_have_the_bits_of_whole_passes(
    drawn_sampler: Sampler, steps: list[str], data: st.DataObject
) -> None:
    torch.manual_seed(0)
    network = Drawn(steps, dropout=data.draw(st.integers(0, len(steps)))).eval()
    x = torch.randn(2, 3, 6, 8)
    got = sample_passes(network, x, drawn_sampler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RepeatedCalls, "give", lambda _: nullcontext())
        whole = sample_passes(network, x, drawn_sampler)
    assert torch.equal(got, whole)
    assert whole.std(dim=1).max() > 0


FAST_CASES = (
    "DropBlock at the tap",
    "skip connections between sampled layers",
    "skip connections across the cut",
    "three taps at and behind dropout",
    "attention dropout, heads in the batch",
    "batch second",
)
"""Tried by the fast tests, beside the drawn networks."""


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in FAST_CASES else pytest.mark.slow) for case in CASES]
)
def test_sample_passes_of_a_network_have_the_bits_of_whole_passes(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, taps, options, _ = CASES[case]
    network = settled(make())
    sampler = build_sampler(network, EXAMPLE, taps, mc_samples=5, **options)
    x = torch.randn(2, *EXAMPLE.shape[1:])
    got = sample_passes(network, x, sampler)
    monkeypatch.setattr(RepeatedCalls, "give", lambda _: nullcontext())
    assert torch.equal(got, sample_passes(network, x, sampler))


def test_sample_passes_run_what_lies_upstream_twice_and_what_lies_behind_never() -> None:
    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.upstream, self.between, self.behind = Counted(), Counted(), Counted()
            self.dropout = nn.Dropout2d(0.4)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cat([x, x[:, :1]], dim=1)
            logits: Tensor = self.behind(self.between(self.dropout(self.upstream(x))))
            return logits

    network = Chain().eval()
    sampler = build_sampler(network, EXAMPLE, ["between"], mc_samples=7, force=True)
    for layer in (network.upstream, network.between, network.behind):
        layer.calls = 0
    sample_passes(network, torch.randn(1, *EXAMPLE.shape[1:]), sampler)
    assert (network.upstream.calls, network.between.calls, network.behind.calls) == (2, 7, 0)


def test_sample_passes_leave_every_forward_and_hook_as_it_was() -> None:
    network = settled(DropoutUNet())
    network.down1.__dict__["forward"] = network.down1.forward  # as compilers and profilers set one on an instance
    own = network.down1.__dict__["forward"]
    sampler = build_sampler(network, EXAMPLE, ["bottleneck"], mc_samples=5)
    sample_passes(network, EXAMPLE, sampler)
    assert network.down1.__dict__.pop("forward") is own
    assert not any("forward" in layer.__dict__ or layer._forward_hooks for layer in network.modules())


def test_sample_passes_of_a_network_that_changes_between_passes_show_it_in_the_last_sample() -> None:
    """What is upstream is not the same in every pass: the last sample is a whole one, and differs."""

    class Drifting(Counted):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + self.calls

    class Chain(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            drifting, dropout, tap = self
            logits: Tensor = tap(dropout(drifting(torch.cat([x, x[:, :1]], dim=1))))
            return logits

    network = Chain(Drifting(), nn.Dropout2d(0.4), nn.Conv2d(CHANNELS, 2, 1)).eval()
    sampler = build_sampler(network, EXAMPLE, ["1"], mc_samples=4, mode="input", force=True)
    samples = sample_passes(
        network, EXAMPLE, sampler, [torch.ones(1, 4, CHANNELS) - 1e-6]
    )  # every mask keeps everything
    assert torch.equal(samples[:, 1], samples[:, 2])
    assert (samples[:, 3] - samples[:, 2]).abs().min() > 0.5

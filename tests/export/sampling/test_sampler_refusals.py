# SPDX-License-Identifier: Apache-2.0
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import ConversionError, TapError
from export.layers.dropblock import DropBlock2D
from export.sampling.marked_graph import mark, mark_network
from export.sampling.plan import plan_sampling
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from tests.networks import HEIGHT, WIDTH, BatchSecond, NoDropout, TransformerSegmenter, settled

EXAMPLE = torch.zeros(1, 3, HEIGHT, WIDTH)
SAMPLES = 4
ADDED: dict[str, Any] = {"drop_prob": 0.6, "block_size": 2}


class ByValue(NoDropout):
    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        logits: Tensor = self.head(features * 2 if features.mean() > 0 else features)
        return logits


class ByLength(NoDropout):
    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x)).reshape(len(x), -1)
        return logits


class AlwaysRandom(NoDropout):
    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(F.dropout(self.encoder(x), 0.5))
        return logits


class SeveralOutputs(NoDropout):
    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"out": super().forward(x)}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (ByValue(), "can follow with a free batch.*torch.where in place of `if`"),
        (ByLength(), "can follow with a free batch.*not len"),
        (AlwaysRandom(), "without randomness in evaluation mode, it calls aten.dropout"),
        (SeveralOutputs(), "one tensor of logits"),
    ],
)
def test_build_sampler_of_a_network_without_a_graph_is_refused(
    network: nn.Module, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConversionError, match=message) as raised:
        build_sampler(network.eval(), EXAMPLE, ["encoder"], mc_samples=SAMPLES, **ADDED)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_build_sampler_without_output_accepts_several_outputs() -> None:
    network = settled(SeveralOutputs())
    sampler = build_sampler(network, EXAMPLE, ["encoder"], mc_samples=SAMPLES, with_output=False, **ADDED)
    torch.testing.assert_close(sampler.module(EXAMPLE), sample_passes(network, EXAMPLE, sampler))


class Odd(NoDropout):
    """Layers that cannot be taps."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Conv2d(3, 3, 1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.flat, self.volume = nn.Flatten(0, 1), nn.Unflatten(1, (2, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        tokens = features.flatten(2).transpose(1, 2)
        self.flat(tokens), self.volume(features)
        attended, _ = self.attention(tokens, tokens, tokens)
        logits: Tensor = self.head(self.head.weight.new_ones(1) * features) + attended.mean()
        return logits


class WithDropout(NoDropout):
    """Dropout of a kind or with constants that cannot be sampled."""

    def __init__(self, dropout: nn.Module) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.encoder(x)))
        return logits


class BlocksOfTokensFirst(BatchSecond):
    """DropBlock, which does nothing in evaluation, on ``(N, B, C)`` tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_block = DropBlock2D(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.drop_block(self.patches(x).flatten(2).permute(2, 0, 1))
        logits: Tensor = self.head(self.tap(tokens.transpose(0, 1))).transpose(1, 2)
        return logits


class Gram(NoDropout):
    """Dropout on products of all pairs of frames: two dimensions hold the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.tail = nn.Dropout(0.5), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        latent = features.mean(dim=(2, 3))
        pairs = self.dropout(latent @ latent.T)
        mixed = self.tail(latent * pairs.sum(dim=1, keepdim=True))
        logits: Tensor = self.head(features + mixed[:, :, None, None])
        return logits


@pytest.mark.parametrize(
    ("network", "tap", "options", "message"),
    [
        (Gram(), "tail", {}, "one dimension of dropout to carry the frames"),
        (Odd(), "unused", ADDED, "unused does not"),
        (TransformerSegmenter(), "dropout", {}, "dropout runs 2 times"),
        (Odd(), "attention", ADDED, "MultiheadAttention attention gives something else: tap a layer near it, such as"),
        (Odd(), "volume", ADDED, r"volume gives \(2, 2, 2, 2, 6, 8\) for two frames"),
        (Odd(), "flat", ADDED, "frames in its first dimension, flat gives"),
        (NoDropout(), "encoder", {}, "found none: give --drop-prob and --block-size"),
        (NoDropout(), "encoder", {"drop_prob": 0.5}, "give both or neither"),
        (NoDropout(), "encoder", {"drop_prob": 1.5, "block_size": 2}, "below 1, got 1.5"),
        (NoDropout(), "encoder", {"drop_prob": 0.5, "block_size": 0}, "at least 1 cell, got 0"),
        (NoDropout(), "encoder", {"drop_prob": 0.1, "block_size": 5}, "82.5%"),
        (BlocksOfTokensFirst(), "tap", {}, "feature map at drop_block for dropblock"),
        (WithDropout(nn.AlphaDropout(0.5)), "head", {}, "dropout is an alpha dropout"),
        (WithDropout(nn.Dropout(1.0)), "head", {}, "dropout has a drop probability of 1"),
        (WithDropout(DropBlock2D(1.0, 1)), "dropout", {}, "drop probability of 1"),
    ],
)
def test_build_sampler_of_a_tap_that_cannot_be_sampled_is_refused(
    network: nn.Module, tap: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TapError, match=message):
        build_sampler(network.eval(), EXAMPLE, [tap], mc_samples=SAMPLES, **options)


def test_build_sampler_with_wrong_arguments_is_refused() -> None:
    network = NoDropout().eval()
    with pytest.raises(ValueError, match="at least one Monte-Carlo sample, got 0"):
        build_sampler(network, EXAMPLE, ["encoder"], mc_samples=0, **ADDED)
    with pytest.raises(ValueError, match="among fixed, fresh, input, got 'random'"):
        build_sampler(network, EXAMPLE, ["encoder"], mc_samples=2, mode="random", **ADDED)  # type: ignore[arg-type]
    with pytest.raises(TapError, match="at least one tap"):
        build_sampler(network, EXAMPLE, [], mc_samples=2)
    sampler = build_sampler(network, EXAMPLE, ["encoder"], mc_samples=2, mode="input", **ADDED)
    with pytest.raises(ValueError, match="noise for 1 sites in mode 'input', got 0"):
        sample_passes(network, EXAMPLE, sampler)


def test_plan_sampling_of_a_tap_that_the_graph_does_not_hold_is_refused() -> None:
    network = NoDropout().eval()
    marked = mark_network(network, EXAMPLE, ["encoder"])
    with pytest.raises(TapError, match=r"expected head in the network's graph, torch\.export kept it apart"):
        plan_sampling(network, marked, ["head"], **ADDED)
    with pytest.raises(TapError, match=r"kept it apart: name a layer by --feature-layers outside its branch"):
        plan_sampling(network, marked, ["encoder"], ["head"], **ADDED)


def test_build_sampler_that_observes_a_layer_without_the_frames_first_is_refused() -> None:
    network = BatchSecond().eval()
    with pytest.raises(
        TapError, match=r"expected a layer with the frames in its first dimension, encoder gives .*layers"
    ):
        build_sampler(network, EXAMPLE, ["patches"], mc_samples=SAMPLES, observed=["encoder"], **ADDED)


def test_mark_of_a_tensor_is_a_copy() -> None:
    x = torch.randn(2, 3)
    copied = mark(x, "tap", "layer", 0)
    torch.testing.assert_close(copied, x)
    assert copied.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("tap", ["attention", "volume"])
def test_build_sampler_of_a_layer_that_cannot_be_read_names_one_that_can(tap: str) -> None:
    network = Odd().eval()
    with pytest.raises(TapError, match="which runs before it") as caught:
        build_sampler(network, EXAMPLE, [tap], mc_samples=SAMPLES, **ADDED)
    named = re.search(r"such as (\S+), which", str(caught.value))
    assert named is not None
    assert build_sampler(network, EXAMPLE, [named[1]], mc_samples=SAMPLES, **ADDED).taps == (named[1],)

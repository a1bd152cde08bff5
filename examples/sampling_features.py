# SPDX-License-Identifier: Apache-2.0
"""Read layers of a network with and without Monte-Carlo sampling, from the same pass, for `sampling_study.py`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from export.detectors.entropy import latent_entropy
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS, MIN_DIST
from export.errors import UsageError
from export.layers.channel_moments import channel_moments
from export.layers.preprocessing import Preprocessing
from export.layers.stochastic import recognise
from export.sampling.sampler import Sampler, build_sampler

Floats = NDArray[np.floating]
OWN = "own"
"""The network's own dropout or DropBlock, in place of DropBlock that is added to the tap."""


@dataclass(frozen=True)
class Masks:
    """Where the masks come from.

    Attributes:
        drop_prob: p of the DropBlock that is added to a tap; None for the network's own layers.
        block_size: its b.
    """

    drop_prob: float | None = None
    block_size: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Masks":
        """Read ``P:B``, or ``own``.

        Raises:
            UsageError: another form.
        """
        if text == OWN:
            return cls()
        drop_prob, _, block_size = text.partition(":")
        try:
            return cls(float(drop_prob), int(block_size))
        except ValueError as error:
            raise UsageError(f"expected {OWN} or P:B, got {text}: 0.5:4 is DropBlock of p = 0.5 and b = 4") from error

    def __str__(self) -> str:
        """The text that is parsed."""
        return OWN if self.drop_prob is None else f"{self.drop_prob:g}:{self.block_size}"


@dataclass(frozen=True)
class Reading:
    """One vector of numbers that is read of a tap.

    Attributes:
        tap: name of the layer, as the command line gives it.
        what: ``mean`` and ``deviation`` of each channel over its map; ``block deviation`` of the means over b x b cells;
            of the samples ``entropy`` and ``sample deviation``; for ``output`` the names of scores.
        masks: of what is sampled, and of the block deviation, which has the same b; None for the others.
        samples: S of what is sampled; None for the others.
    """

    tap: str
    what: str
    masks: Masks | None = None
    samples: int | None = None


class _Tapped(nn.Module):
    """A network whose only layer is a tap: DropBlock can be added to a map that is there already."""

    def __init__(self) -> None:
        super().__init__()
        self.tap = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.tap(x)
        return output


class LayerReader:
    """Reads taps of one frame after the other.

    Args:
        network: in evaluation mode, ``(B, 3, H, W)`` to logits.
        preprocessing: ``(B, H, W, 3)`` uint8 to the network's input.
        example: an input of the network.
        taps: layers; ``a+b`` samples ``a`` and counts the moments of ``b`` among its moments.
        masks: one or more.
        samples: numbers of samples; all from the same bank, of which each number takes the first.
        outputs: whether scores of the output are read as well, of one pass and of S sampled ones.
        seed: of the masks, which are the same for every frame.

    Raises:
        UsageError: fewer than two samples, or sampled outputs of a network that draws nothing.
        TapError: a layer that cannot be sampled.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        example: Tensor,
        taps: Sequence[str],
        masks: Sequence[Masks],
        samples: Sequence[int],
        *,
        outputs: bool = False,
        seed: int = 0,
    ) -> None:
        if min(samples) < 2:
            raise UsageError(f"expected 2 samples or more, got {min(samples)}: one sample has no entropy")
        self._random = [module for module in network.modules() if recognise(module) is not None]
        if outputs and not self._random:
            raise UsageError(
                "expected a network with dropout for sampled outputs, this one draws nothing: drop --outputs"
            )
        self._network, self._preprocessing, self._seed, self._outputs = network, preprocessing, seed, outputs
        self._taps, self._masks, self._samples = tuple(taps), tuple(masks), tuple(sorted(samples))
        self._maps: dict[str, Tensor] = {}
        layers = dict(network.named_modules())
        for name in {layer for tap in taps for layer in tap.split("+")}:
            if name not in layers:
                raise UsageError(f"expected a layer of the network, it has no {name}: python -m export --list-layers")
            layers[name].register_forward_hook(partial(self._keep, name))
        with torch.no_grad():
            network(example)
        self._layers = {tap: tap.split("+")[0] for tap in taps}
        self._samplers = {one: self._sampler_of(one, example) for one in masks}

    def _keep(self, name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
        del module, inputs
        self._maps[name] = output

    def _sampler_of(self, masks: Masks, example: Tensor) -> dict[str, Sampler]:
        """Samplers by tap; one of all taps together, under the name of the first, for the network's own masks."""
        common = {"mc_samples": self._samples[-1], "seed": self._seed, "with_output": False, "force": True}
        if masks.drop_prob is None:
            layers = list(dict.fromkeys(self._layers.values()))
            return {self._taps[0]: build_sampler(self._network, example, layers, **common)}
        added = common | {"drop_prob": masks.drop_prob, "block_size": masks.block_size}
        return {
            tap: build_sampler(_Tapped().eval(), self._maps[layer], ["tap"], **added)
            for tap, layer in self._layers.items()
        }

    def _drawn(self, masks: Masks, x: Tensor, maps: dict[str, Tensor]) -> dict[str, Floats]:
        """Latent samples ``(S, C)`` of each tap."""
        samplers = self._samplers[masks]
        if masks.drop_prob is not None:
            return {tap: samplers[tap].module(maps[layer])[0].numpy() for tap, layer in self._layers.items()}
        (together,) = samplers.values()
        widths = {layer: _channels(maps[layer]) for layer in self._layers.values()}
        parts = dict(zip(widths, together.module(x)[0].split(list(widths.values()), dim=1), strict=True))
        return {tap: parts[layer].numpy() for tap, layer in self._layers.items()}

    def __call__(self, frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], dict[Reading, Floats]]:
        """Class map ``(h, w)`` and readings ``(D,)`` of one ``(H, W, 3)`` frame."""
        with torch.no_grad():
            x = self._preprocessing(torch.from_numpy(np.array(frame))[None])
            logits = self._network(x)
            maps = dict(self._maps)
            drawn = {masks: self._drawn(masks, x, maps) for masks in self._masks}
            found = {key: value for tap in self._taps for key, value in self._read(tap, maps, drawn)}
            if self._outputs:
                found |= dict(self._scores(x, logits))
        return logits[0].argmax(dim=0).numpy().astype(np.uint8), found

    def _read(
        self, tap: str, maps: dict[str, Tensor], drawn: dict[Masks, dict[str, Floats]]
    ) -> Iterator[tuple[Reading, Floats]]:
        layer, *others = tap.split("+")
        halves = [channel_moments(maps[name])[0].chunk(2) for name in (layer, *others)]
        yield Reading(tap, "mean"), torch.cat([mean for mean, _ in halves]).numpy()
        yield Reading(tap, "deviation"), torch.cat([deviation for _, deviation in halves]).numpy()
        for masks in self._masks:
            size = masks.block_size
            if size is not None and maps[layer].dim() == 4 and size < min(maps[layer].shape[2:]):
                pooled = channel_moments(F.avg_pool2d(maps[layer], size, stride=1))[0]
                yield Reading(tap, "block deviation", masks), pooled.chunk(2)[1].numpy()
            for count in self._samples:
                some = drawn[masks][tap][:count]
                entropy = latent_entropy(some, min(DEFAULT_NEIGHBORS, count - 1)).astype(np.float32)
                yield Reading(tap, "entropy", masks, count), entropy
                spread = np.log(np.maximum(some.std(axis=0), MIN_DIST))
                yield Reading(tap, "sample deviation", masks, count), spread

    def _scores(self, x: Tensor, logits: Tensor) -> Iterator[tuple[Reading, Floats]]:
        """Means over the pixels: energy and predictive entropy of one pass, and what S sampled passes make of the latter."""
        yield Reading("output", "energy"), -logits.logsumexp(dim=1).mean()[None].numpy()
        yield Reading("output", "predictive entropy"), _entropy(logits.softmax(dim=1)).mean()[None].numpy()
        for module in self._random:
            module.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)  # the same masks for every frame
            drawn = self._network(x.expand(self._samples[-1], -1, -1, -1)).softmax(dim=1)
        for module in self._random:
            module.eval()
        for count in self._samples:
            of_mean = _entropy(drawn[:count].mean(dim=0, keepdim=True)).mean()
            mean_of = _entropy(drawn[:count]).mean()
            yield Reading("output", "entropy of the mean", Masks(), count), of_mean[None].numpy()
            yield Reading("output", "mutual information", Masks(), count), (of_mean - mean_of)[None].numpy()


def _channels(layer: Tensor) -> int:
    return layer.shape[2] if layer.dim() == 3 else layer.shape[1]


def _entropy(probabilities: Tensor) -> Tensor:
    """Entropy of the classes of each pixel, nats: ``(B, K, H, W)`` to ``(B, H, W)``."""
    return torch.special.entr(probabilities).sum(dim=1)

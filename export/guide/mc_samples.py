# SPDX-License-Identifier: Apache-2.0
"""Monte-Carlo samples as the guide takes them: S whole passes of the network, fresh masks in each.

The bundle's graphs give the same samples in one pass with fixed masks (``export.sampling.sampler``); these functions are for
those who follow the guide, and for measuring what fresh masks cost. Rows come frame by frame, with a frame's S samples
together, whatever the batch size. (The guide's rows come so for a batch of one only; for larger batches its entropies
mix frames.)
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]

from export.errors import TapError, UsageError
from export.guide.hook import Hook
from export.layers.stochastic import recognise


class HasDeepLab(Protocol):
    """A module that holds a network under the guide's name."""

    @property
    def deeplab_v3plus_model(self) -> nn.Module:
        """The network: ``(B, 3, H, W)`` frames to logits."""


class HasProbabilisticUnet(Protocol):
    """A module that holds a network under the guide's name."""

    @property
    def prob_unet_model(self) -> nn.Module:
        """The network, whose ``forward`` takes frames, labels and ``training``."""


Batches = Iterable[tuple[Tensor, Tensor]]
"""What a data loader gives: ``(B, 3, H, W)`` float frames and their labels."""


def deeplabv3p_apply_dropout(m: nn.Module) -> None:
    """Put a layer into training mode if it draws random numbers there: ``network.eval(); network.apply(this)``.

    The layers are those that :func:`export.layers.stochastic.recognise` knows: DropBlock of any package, and every dropout.
    (The guide's function knows ``nn.Dropout`` and one class of DropBlock, and passes others over in silence.)
    """
    if recognise(m) is not None:
        m.train()


probunet_apply_dropout = deeplabv3p_apply_dropout
"""The same function under the guide's name for the Probabilistic U-Net."""


def deeplabv3p_get_ls_mcd_samples(
    model_module: HasDeepLab,
    dataloader: Batches,
    mcd_nro_samples: int,
    hook_dropout_layer: Hook,
    *,
    seed: int | None = None,
) -> Tensor:
    """Sample the hooked layer of a DeepLabV3+ and average each map over its cells.

    Args:
        model_module: with the network at ``deeplab_v3plus_model``, in evaluation mode except its stochastic layers;
            the frames go to the network's device.
        dataloader: gives frames and labels.
        mcd_nro_samples: S, at least 1.
        hook_dropout_layer: on a layer that gives ``(B, C, H, W)``.
        seed: of the masks (and of a shuffling loader); None draws from torch's global generator. With a seed that
            generator is left as it was. The masks of a seed depend on the batch size.

    Returns:
        ``(N * S, C)`` float on the CPU; row ``i * S + s`` is sample s of frame i.

    Raises:
        UsageError: S below 1, no frames, the network in training mode, or no stochastic layer switched on.
        TapError: the hooked layer does not run, or gives something else than maps.
    """
    network = model_module.deeplab_v3plus_model
    return _hooked_means(network, lambda x, _: network(x), dataloader, mcd_nro_samples, hook_dropout_layer, seed)


def probunet_get_ls_mcd_samples(
    model_module: HasProbabilisticUnet,
    dataloader: Batches,
    mcd_nro_samples: int,
    hook_dropout_layer: Hook,
    *,
    seed: int | None = None,
) -> Tensor:
    """Sample the hooked layer of a Probabilistic U-Net, at ``prob_unet_model``, and average each map over its cells.

    Arguments, rows and errors are those of :func:`deeplabv3p_get_ls_mcd_samples`; the labels are passed on to the
    network, which does not read them with ``training=False``.
    """
    network = model_module.prob_unet_model

    def one_pass(frames: Tensor, labels: Tensor) -> None:
        network.forward(frames, labels, training=False)

    return _hooked_means(network, one_pass, dataloader, mcd_nro_samples, hook_dropout_layer, seed)


def sampled_batches(
    network: nn.Module,
    run: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
    dataloader: Batches,
    passes: int,
    seed: int | None,
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Pass every batch ``passes`` times, with a progress bar on stderr.

    Args:
        network: in evaluation mode except its stochastic layers.
        run: one pass of ``(B, 3, H, W)`` frames and labels on the network's device; gives tensors of ``(B, ...)``.
        dataloader: gives frames and labels.
        passes: S.
        seed: as for :func:`deeplabv3p_get_ls_mcd_samples`.

    Yields:
        For each batch, on the CPU: what ``run`` gave, ``(B * S, ...)`` with a frame's passes together; and the labels.

    Raises:
        UsageError: S below 1, no frames, or the network in training mode.
    """
    if passes < 1:
        raise UsageError(f"expected at least 1 Monte-Carlo sample, got {passes}: the guide takes 10")
    _check_evaluation_mode(network)
    device = next(nn.Module.parameters(network)).device
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else [], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        empty = True
        for frames, labels in tqdm(dataloader, desc="Monte-Carlo samples", unit="batch"):
            on_device = frames.to(device), labels.to(device)
            outputs = zip(*(run(*on_device) for _ in range(passes)), strict=True)
            yield tuple(torch.stack(samples, dim=1).flatten(0, 1).cpu() for samples in outputs), labels.cpu()
            empty = False
    if empty:
        raise UsageError("expected frames from the data loader, got none: look at its folder, split and drop_last")


def _hooked_means(
    network: nn.Module,
    one_pass: Callable[[Tensor, Tensor], object],
    dataloader: Batches,
    samples: int,
    hook: Hook,
    seed: int | None,
) -> Tensor:
    if not any(module.training and recognise(module) for module in nn.Module.modules(network)):
        raise UsageError(
            "expected a dropout or DropBlock layer in training mode, got none, so that all samples would be equal: call "
            "network.apply(deeplabv3p_apply_dropout)"
        )

    def run(frames: Tensor, labels: Tensor) -> tuple[Tensor]:
        hook.output = None
        one_pass(frames, labels)
        maps = hook.output
        if not isinstance(maps, Tensor) or maps.dim() != 4:
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise TapError(f"expected the hooked layer to give (B, C, H, W) maps, got {got}: hook a layer that runs")
        return (maps.mean(dim=(2, 3)),)

    return torch.cat([means for (means,), _ in sampled_batches(network, run, dataloader, samples, seed)])


def _check_evaluation_mode(network: nn.Module) -> None:
    for name, module in network.named_modules():
        learns = any(True for own in (nn.Module.parameters, nn.Module.buffers) for _ in own(module, recurse=False))
        if module.training and learns:
            raise UsageError(
                f"expected a network in evaluation mode except its stochastic layers, {name or 'its root'} is in training "
                "mode: call network.eval(), then network.apply(deeplabv3p_apply_dropout)"
            )

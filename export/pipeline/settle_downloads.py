# SPDX-License-Identifier: Apache-2.0
"""Find out whether a network computes something else without the download that was switched off in its constructor.

Some constructors do more with ``pretrained=True`` than fetch weights: they normalise the input in ``forward``, too, or choose
other layers. The weights of the checkpoint may fit either network.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from export.checkpoint.arguments import SwitchedOff
from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import run_once
from export.checkpoint.returned import returned_tensors
from export.errors import CheckpointError, ConversionError, UsageError, first_line
from export.findings import PLACEHOLDER, Finding
from export.frames.files import FrameFiles
from export.pipeline.found_input import find_input
from export.pipeline.network_options import NetworkOptions
from export.pipeline.preprocessor_config import read_preprocessor_config
from export.reporter import Reporter

_SAME = 1e-6
"""Difference of two outputs, as a share of the greatest value, that the order of sums may make."""

_LARGE_ENOUGH, _STRIDE = 256, 64


def settle_downloads(
    options: NetworkOptions, checkpoint: Checkpoint, frames: FrameFiles, reporter: Reporter
) -> Checkpoint:
    """:func:`settle_downloads_at` with the input that the network gets; arguments, result and errors as there.

    Args:
        options: size and channels of the input; where they are not known, the stage that needs them says so.
        checkpoint: the network, perhaps with switches against downloads.
        frames: of the camera's size.
        reporter: told what was switched off, and what that changes.
    """
    if checkpoint.unswitched is None:
        return checkpoint
    try:
        seen = frames.shape[:2] if options.crop is None else options.crop[2:]
        shape = find_input(options, checkpoint, read_preprocessor_config(checkpoint.path), (seen[0], seen[1])).shape
    except UsageError:  # the next stage, which takes the same sizes, raises it again
        return checkpoint
    return settle_downloads_at(shape, checkpoint, reporter)


def settle_downloads_at(shape: tuple[int, int, int], checkpoint: Checkpoint, reporter: Reporter) -> Checkpoint:
    """Compare the network with the one that its constructor would have built with the download, on one random input.

    Both have the weights of the checkpoint. Where they compute the same, the switch stays. Where they do not, the value that
    the checkpoint's hyper-parameters state counts; a default says nothing about the training.

    Args:
        shape: ``(C, H, W)`` of the network's input.
        checkpoint: the network, perhaps with switches against downloads.
        reporter: told what was switched off, and what that changes.

    Returns:
        The checkpoint with the network that was trained.

    Raises:
        CheckpointError: the two compute different things, and the checkpoint does not say which one was trained.
    """
    rival = checkpoint.unswitched
    if rival is None:
        return checkpoint
    settled = replace(checkpoint, unswitched=None)
    asked = " and ".join(each.asked_value for each in rival.switched)
    try:
        other = rival.build()
    except CheckpointError as error:
        reason = (
            f"whether the network computes the same with {asked} is not known, building it so gave: {first_line(error)}"
        )
        reporter.found(*_findings(rival.switched, reason, "guessed"))
        return settled
    if _compute_the_same(checkpoint.network, other, *shape):
        reason = f"with {asked} the network computes the same on a random input"
        reporter.found(*_findings(rival.switched, reason, "found"))
        return settled
    unstated = [each for each in rival.switched if not each.is_stated]
    if unstated:
        raise _not_known(unstated)
    for each in rival.switched:
        reason = f"as the checkpoint's hyper-parameters say; with {each.value} the network computes something else"
        reporter.found(Finding("arguments", each.asked_value, "found", reason, each.words(each.asked_value)))
    return replace(settled, network=other)


def _findings(switched: tuple[SwitchedOff, ...], reason: str, origin: str) -> list[Finding]:
    found = [replace(each.finding, reason=f"{each.reason}; {reason}") for each in switched]
    return [replace(each, origin="found") for each in found] if origin == "found" else found


def _not_known(switched: list[SwitchedOff]) -> CheckpointError:
    first = switched[0]
    words = tuple(word for each in switched for word in each.words(f"{each.name}={PLACEHOLDER}"))
    either = f"{first.asked_value} or {first.value}"
    remedy = f"give --model-arg {either}"
    if first.place:
        remedy = f"write {either.replace('=', ': ')} in the init_args of {first.place}"
    return CheckpointError(
        f"expected to know how {first.owner} was trained, got a network that computes something else with "
        f"{first.asked_value}, its default, than with {first.value}, and weights that fit both: {remedy}",
        words=words,
    )


def _compute_the_same(one: nn.Module, other: nn.Module, channels: int, height: int, width: int) -> bool:
    """Whether two networks return the same tensors, or raise the same; both without luck in what they draw.

    A part of the input's size does where the networks take it, and costs less.
    """
    factor = max(1, min(height, width) // _LARGE_ENOUGH)
    if factor > 1 and height % (factor * _STRIDE) == width % (factor * _STRIDE) == 0:
        small = [_outputs(network, _random(channels, height // factor, width // factor)) for network in (one, other)]
        if not all(isinstance(each, str) for each in small):
            return _same(*small)
    return _same(*(_outputs(network, _random(channels, height, width)) for network in (one, other)))


def _random(channels: int, height: int, width: int) -> Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(0))


def _same(*seen: list[Tensor] | str) -> bool:
    one, other = seen
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return len(one) == len(other) and all(
        a.shape == b.shape
        and torch.allclose(a.float(), b.float(), rtol=0, atol=_SAME * float(a.abs().max()), equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


def _outputs(network: nn.Module, example: Tensor) -> list[Tensor] | str:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            return [item.tensor for item in returned_tensors(run_once(network, example))]
        except ConversionError as error:
            return first_line(error)

# SPDX-License-Identifier: Apache-2.0
"""Run a user's network once and check its output, before anything costly."""

import torch
from torch import Tensor, nn

from export.checkpoint.chosen_output import network_name
from export.checkpoint.input_remedy import input_remedy
from export.checkpoint.other_methods import name_others, other_words
from export.errors import ConversionError, first_line, refuse_exit
from export.source_lines import raised_at

_OF_ANOTHER_INPUT = (TypeError, KeyError, IndexError, AttributeError, NotImplementedError)
"""What a ``forward`` raises that takes something else than a tensor of frames, or that is not there."""


def run_once(network: nn.Module, example: Tensor) -> object:
    """Run a network once.

    Args:
        network: in evaluation mode.
        example: ``(B, C, H, W)`` float32.

    Raises:
        ConversionError: the network raises an exception.
    """
    try:
        with torch.inference_mode(), refuse_exit(ConversionError, network_name(network)):
            return network(example)
    except ConversionError:
        raise
    except Exception as error:  # a user's network may raise anything
        found = input_remedy(network, example)
        remedy = "check" if found is None else f"{found.text} check"
        is_other = isinstance(error, _OF_ANOTHER_INPUT)
        others = f", or {name_others(network)}" if is_other else ""
        words = other_words(network) if is_other else ()
        raise ConversionError(
            f"expected a network that takes {tuple(example.shape)} float32, it raised {first_line(error)}{raised_at(error)}; "
            f"{remedy} --input-size, or wrap it in a module that takes a batch of RGB images{others}",
            words=words if found is None else found.words,
        ) from error


def check_logits(output: object, kind: str) -> tuple[int, int, int] | None:
    """Check that a network's output can give a segmentation of one kind.

    Args:
        output: what the network returned.
        kind: ``classes``, ``binary``, ``logits``, or ``none``, which accepts every output.

    Returns:
        ``(K, h, w)`` of the logits, which are two for kind ``binary``; None for kind ``none``.

    Raises:
        ConversionError: the output is not one ``(B, K, h, w)`` tensor, has more channels than a byte has class ids, or one
            channel where there is to be one for each class, or the other way round.
    """
    if kind == "none":
        return None
    if not isinstance(output, Tensor) or output.dim() != 4:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ConversionError(
            f"expected a network that returns one (B, K, h, w) tensor of logits, got {got}: wrap it in a module that "
            "returns the logits alone, or leave the segmentation out by --segmentation none",
            words=("--segmentation", "none"),
        )
    classes, height, width = output.shape[1:]
    if kind == "binary":
        if classes != 1:
            raise ConversionError(
                f"expected one channel for --segmentation binary, got {classes}: give --segmentation classes",
                words=("--segmentation", "classes"),
            )
        return 2, height, width
    if classes == 1:
        raise ConversionError(
            "expected a channel for each class, got 1 channels: export it with --segmentation binary if it is the logit or "
            "the probability of the second of two classes, with none if it is anything else",
            words=("--segmentation", "binary"),
        )
    if kind == "classes" and classes > 256:
        raise ConversionError(
            f"expected logits of 2 to 256 classes, got {classes} channels: take them as they are by --segmentation logits",
            words=("--segmentation", "logits"),
        )
    return classes, height, width


def check_channels_first(output: Tensor, example: Tensor) -> None:
    """Check that the last two dimensions of a network's output are those of a map, not its width and its channels.

    Args:
        output: ``(B, K, h, w)``, as expected.
        example: ``(B, C, H, W)``, what the network was given.

    Raises:
        ConversionError: dimensions 1 and 2 are height and width of the input, or a whole fraction or multiple of them, and
            the last two have neither its aspect nor its width. A map of another aspect alone, such as a crop, passes.
    """
    height, width = example.shape[-2:]
    first, second, third = output.shape[1:]
    is_map = third == width or abs(second * width - third * height) <= max(height, width)
    if not is_map and _is_scaled((first, second), (height, width)):
        raise ConversionError(
            f"expected (B, K, h, w) logits for an input of {height} x {width}, got (B, h, w, K) {tuple(output.shape)}: "
            "return permute(0, 3, 1, 2) of it"
        )


def _is_scaled(size: tuple[int, int], original: tuple[int, int]) -> bool:
    """Whether a size is the other's multiple, or its fraction by a whole number, both sides rounded up or both down."""
    rows, columns = size
    height, width = original
    if rows >= height:
        return rows * width == columns * height and rows % height == 0
    strides = range(2, height + 1)
    down = any(size == (height // stride, width // stride) for stride in strides)
    return down or any(size == (-(-height // stride), -(-width // stride)) for stride in strides)

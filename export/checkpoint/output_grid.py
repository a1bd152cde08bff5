# SPDX-License-Identifier: Apache-2.0
"""Check that the cells of a network's output lie over its input as a reader of the class map takes them to lie."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint.probe import run_once
from export.errors import ConversionError
from export.findings import Finding

_POWERS = (2, 4, 8, 16, 32, 64, 128)
"""Multiples to which networks are known to pad."""

_MOST = 256
"""Greatest multiple that is looked at."""

_FURTHER = 64
"""Rows and columns, at least, that are added to find out whether the stride stays."""


def check_output_grid(
    network: nn.Module, example: Tensor, size: tuple[int, int], cells: tuple[int, int]
) -> Finding | None:
    """Check the size of a network's output against that of its input.

    A class map is read as one of the whole input: cell ``i`` of ``h`` begins at row ``i * H / h``. That is so where ``h`` is
    H divided by a whole number, rounded up or down, or a multiple of H, and likewise for columns. A network that pads inside,
    or whose upsampling makes up for more rows than its downsampling took, gives a map of more rows than the input has.
    Padding from without is the remedy; it is proposed where the network, run on such an input, gives a map of its size.

    Args:
        network: in evaluation mode; it returns one tensor.
        example: ``(1, C, H, W)``, an input of it, padded or not.
        size: rows and columns of the input without padding.
        cells: rows and columns of the output for the example.

    Returns:
        None where the output lies over the input, also where it has its aspect; else what is taken, and what may be wrong.

    Raises:
        ConversionError: the output is of another size, that of a padded input; the message names the multiple.
    """
    height, width = example.shape[-2:]
    if _strides(cells, (height, width)):
        return None
    multiple = next(_remedies(network, example[..., : size[0], : size[1]], cells), None)
    if multiple is not None:
        raise ConversionError(
            f"expected a map of the input's size, {height} x {width}, or of it divided by a whole number, got {cells[0]} x "
            f"{cells[1]}: the network pads or rounds inside, so that its map is not that of the frame; give --pad "
            f"{multiple}, which pads before it and cuts the map",
            words=("--pad", str(multiple)),
        )
    if abs(cells[0] * width - cells[1] * height) <= max(height, width):
        return None
    return Finding(
        "map",
        f"{cells[0]} x {cells[1]} for an input of {height} x {width}",
        "guessed",
        "of another aspect, taken for the whole input, stretched; if the network shows a part of it, or more, cut the map "
        "to the input's own cells in its forward",
    )


def _strides(cells: tuple[int, int], size: tuple[int, int]) -> set[Fraction]:
    """Whole numbers by which a size is divided, rounded up or down on each side, to give so many cells; 1/n is n times it."""
    factors = [count // length for count, length in zip(cells, size, strict=True)]
    if factors[0] == factors[1] > 0 and all(n * m == count for n, m, count in zip(factors, size, cells, strict=True)):
        return {Fraction(1, factors[0])}
    return {
        Fraction(stride)
        for stride in range(1, max(size) + 1)
        if all(count in (length // stride, -(-length // stride)) for count, length in zip(cells, size, strict=True))
    }


def _remedies(network: nn.Module, image: Tensor, cells: tuple[int, int]) -> Iterator[int]:
    """Yield the multiples to which an image can be padded so that the output lies over it, the least padding first.

    On another multiple, further on, the network has to have the same stride: one whose output has one size for every input
    is none that pads, and another stride than its own may give the right number of cells once.
    """
    height, width = image.shape[-2:]
    pads: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for multiple in sorted({*_multiples((height, width), cells), *_POWERS}):
        pads[-height % multiple, -width % multiple].append(multiple)
    for pad, multiples in sorted(pads.items(), key=lambda item: sum(item[0])):
        strides = _strides_of(network, image, pad) if any(pad) else set()
        for multiple in multiples if strides else []:
            further = multiple * -(-_FURTHER // multiple)
            if strides & _strides_of(network, image, (pad[0] + further, pad[1] + further)):
                yield multiple


def _multiples(size: tuple[int, int], cells: tuple[int, int]) -> Iterator[int]:
    """Yield the multiples to which padding gives an input of just so many cells, of one pixel or more each."""
    for stride in range(1, max(size) + 1):
        padded = (cells[0] * stride, cells[1] * stride)
        if all(length <= count < 2 * length for count, length in zip(padded, size, strict=True)):
            for multiple in range(2, _MOST + 1):
                if all(length + -length % multiple == count for count, length in zip(padded, size, strict=True)):
                    yield multiple


def _strides_of(network: nn.Module, image: Tensor, pad: tuple[int, int]) -> set[Fraction]:
    """Strides of the output for an input with rows and columns added; none where the network does not take this size."""
    padded = F.pad(image, (0, pad[1], 0, pad[0]))
    try:
        output = run_once(network, padded)
    except ConversionError:  # a network may take few sizes; which ones, is what is asked here
        return set()
    if not isinstance(output, Tensor) or output.dim() != 4:
        return set()
    return _strides((output.shape[2], output.shape[3]), (padded.shape[2], padded.shape[3]))

# SPDX-License-Identifier: Apache-2.0
"""Find the rows and columns of tokens: those of a map upstream that they were made of, else by the network's input."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, fx

from export.errors import TapError
from export.findings import Origin
from export.layers.feature_layout import is_grid
from export.sampling.batch_region import ancestors

Grid = tuple[int, int]

_MOST_OTHERS = 16
"""Tokens in front of a grid that came from a map: a class token, registers, prompts."""

_CERTAIN_OTHERS = (0, 1)
"""The same where the size of the input is all that is known: more of them would make nearly any number fit."""


@dataclass(frozen=True)
class TokenGrid:
    """The grid that tokens make.

    Attributes:
        grid: rows and columns.
        others: tokens in front of the grid, such as a class token and registers.
        origin: of the grid, as :class:`export.findings.Finding` has it.
        reason: how it was found.
    """

    grid: Grid
    others: int
    origin: Origin
    reason: str


def find_token_grid(layer: str, node: fx.Node, graph: fx.Graph, image: Grid, given: Grid | None) -> TokenGrid:
    """Find the grid of a layer's tokens ``(B, N, C)``, and how many tokens stand in front of it.

    Args:
        layer: its name, for messages.
        node: of its output.
        graph: that holds the node.
        image: rows and columns of the network's input.
        given: rows and columns by the user; passed over where N does not fit and a grid is found.

    Raises:
        TapError: no grid, or several, and none is given.
    """
    count = int(node.meta["val"].shape[1])
    if given is not None and min(given) > 0 and 0 <= count - given[0] * given[1] <= _MOST_OTHERS:
        return TokenGrid(given, _others(count, given), "given", "--token-grid")
    found = next(
        (grid for grid in _maps_upstream(node, graph, image) if 0 <= _others(count, grid) <= _MOST_OTHERS), None
    )
    if found is not None:
        return TokenGrid(found, _others(count, found), "found", "a map upstream of it has these rows and columns")
    fitting = _of_whole_strides(count, image)
    if len(fitting) == 1:
        stride = image[0] // fitting[0][0]
        return TokenGrid(fitting[0], _others(count, fitting[0]), "guessed", f"it is the input divided by {stride}")
    several = " and ".join(f"{rows} x {columns}" for rows, columns in fitting[:3])
    got = f"{several} fit" if fitting else "no map upstream of it and no stride fits"
    raise TapError(
        f"expected rows and columns of the {count} tokens of {layer} for DropBlock, {got} an input of {image[0]} x "
        f"{image[1]}{'' if given is None else f', and --token-grid {given[0]} {given[1]} does not fit either'}: give them "
        f"by --token-grid H W (at most {_MOST_OTHERS} tokens may stand in front of the grid), or tap a layer that gives a map"
    )


def _others(count: int, grid: Grid) -> int:
    return count - grid[0] * grid[1]


def _maps_upstream(node: fx.Node, graph: fx.Graph, image: Grid) -> Iterator[Grid]:
    """Grids of the maps that a node is computed from, the nearest first."""
    upstream = ancestors([node])
    for other in reversed(list(graph.nodes)):
        value = other.meta.get("val")
        if other not in upstream or not isinstance(value, Tensor) or value.dim() != 4:
            continue
        for rows, columns in (tuple(value.shape[2:]), tuple(value.shape[1:3])):
            # A size may be symbolic: of the batch, which is no grid.
            if isinstance(rows, int) and isinstance(columns, int) and is_grid((rows, columns), image):
                yield rows, columns


def _of_whole_strides(count: int, image: Grid) -> list[Grid]:
    """Grids of those whole strides that divide the input, and fit with no other token or, if none does, with one."""
    strides = [stride for stride in range(1, min(image) + 1) if image[0] % stride == image[1] % stride == 0]
    grids = [(image[0] // stride, image[1] // stride) for stride in strides]
    fitting = [
        grid for grid in grids if _others(count, grid) in _CERTAIN_OTHERS and _others(count, grid) < grid[0] * grid[1]
    ]
    fewest = min((_others(count, grid) for grid in fitting), default=0)
    return [grid for grid in fitting if _others(count, grid) == fewest]

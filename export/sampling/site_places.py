# SPDX-License-Identifier: Apache-2.0
"""Make the site of a layer's call: the layout of the layer's output, and the masks that fit it."""

from torch import fx, nn

from export.errors import TapError
from export.findings import Finding
from export.layers.dropblock import DropBlockRandomness
from export.layers.feature_layout import FeatureLayout, channel_dim, map_layout
from export.layers.randomness import MaskedRandomness, Randomness
from export.layers.token_dropblock import drop_block_on
from export.sampling.batch_region import batch_dims
from export.sampling.marked_graph import MarkedGraph
from export.sampling.site import Site
from export.sampling.token_grid import find_token_grid


class SitePlaces:
    """The places of a network where masks may enter.

    Args:
        network: the one that ``marked`` came from.
        marked: its graph.
        token_grid: rows and columns of tokens by the user; None to find them.

    Attributes:
        network: as given.
    """

    def __init__(self, network: nn.Module, marked: MarkedGraph, token_grid: tuple[int, int] | None) -> None:
        self.network, self._marked, self._token_grid = network, marked, token_grid
        height, width = marked.frames.meta["val"].shape[2:]
        self._image = (int(height), int(width))
        self._taps = {layer for layer, _ in marked.marks("tap")}
        self._findings: dict[Finding, None] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found out about layouts, each once."""
        return tuple(self._findings)

    def channel_dim(self, layer: str, node: fx.Node) -> int:
        """Dimension of the channels of a layer's output, whose frames stand first."""
        value = node.meta["val"]
        if value.dim() != 4:
            return channel_dim(value.dim())
        return self._map_layout(layer, node).channel_dim

    def site(self, layer: str, call: int, node: fx.Node, randomness: Randomness) -> Site:
        """The site of a layer's call, with the shapes of its masks for the tensor that they multiply.

        Args:
            layer: its name.
            call: which of its calls.
            node: of its output.
            randomness: the layer's own, or DropBlock that is added to it.

        Raises:
            TapError: a shape, or a randomness, that cannot be sampled.
        """
        shape = tuple(node.meta["val"].shape)
        at, rows = self._frames_in(layer, node)
        if not isinstance(randomness, MaskedRandomness):
            raise TapError(
                f"expected layers that set features to zero, {layer} is {randomness.noun}: tap upstream of it"
            )
        if randomness.drop_prob >= 1:
            raise TapError(f"expected layers that keep something, {layer} has a drop probability of 1: lower it")
        used = randomness
        if isinstance(randomness, DropBlockRandomness) and at == 0 and rows == 1 and len(shape) in (2, 3, 4):
            used = self._drop_block(layer, node, randomness)
        frame_shape = tuple(rows if dim == at else int(length) for dim, length in enumerate(shape))
        shapes = used.shapes(frame_shape, at)
        if shapes is not None:
            return Site(layer, call, used, shapes.noise, shapes.mask, at, rows)
        raise TapError(
            f"expected a feature map at {layer} for {randomness}, got the shape {shape}: choose a convolutional layer, or "
            "one behind nn.Dropout"
        )

    def _frames_in(self, layer: str, node: fx.Node) -> tuple[int, int]:
        """The dimension that carries the frames, and its entries for each frame."""
        batch = self._marked.batch
        ratios = {dim: size / batch for dim, size in batch_dims(node.meta["val"], batch).items()}
        if len(ratios) != 1 or not all(ratio.is_Integer for ratio in ratios.values()):
            shape = tuple(node.meta["val"].shape)
            raise TapError(
                f"expected one dimension of {layer} to carry the frames, got the shape {shape}: tap upstream of it"
            )
        ((at, ratio),) = ratios.items()
        return at, int(ratio)

    def _drop_block(self, layer: str, node: fx.Node, block: DropBlockRandomness) -> MaskedRandomness:
        """DropBlock for the layout of an output, with a finding where it is not the usual one."""
        dimensions = node.meta["val"].dim()
        if dimensions == 2:
            value = f"dropout of single elements with p = {block.drop_prob:g} at {layer}"
            self._tell(
                Finding(
                    "DropBlock", value, "found", "it gives one vector a frame, which has no cells to drop in squares"
                )
            )
            return drop_block_on(block, FeatureLayout(1))
        if dimensions == 4:
            return drop_block_on(block, self._map_layout(layer, node))
        tokens = find_token_grid(layer, node, self._marked.module.graph, self._image, self._token_grid)
        (rows, columns), others = tokens.grid, tokens.others
        behind = f" behind {others} other{'s' if others > 1 else ''}" if others else ""
        value = f"squares of a grid of {rows} x {columns} tokens{behind} at {layer}"
        words = ("--token-grid", str(rows), str(columns))
        self._tell(Finding("DropBlock", value, tokens.origin, tokens.reason, words))
        return drop_block_on(block, FeatureLayout(2, tokens.grid, others))

    def _map_layout(self, layer: str, node: fx.Node) -> FeatureLayout:
        frame_shape = (1, *(int(length) for length in node.meta["val"].shape[1:]))
        layout = map_layout(frame_shape, self._image, self.network.get_submodule(layer))
        if layout.channel_dim == 3:
            value = f"{layer}, {frame_shape[1]} x {frame_shape[2]} cells with their {frame_shape[3]} channels last"
            subject = "tap" if layer in self._taps else "layer"
            reason = "its rows and columns are those of the input divided by one number"
            self._tell(Finding(subject, value, "found", reason))
        return layout

    def _tell(self, finding: Finding) -> None:
        self._findings[finding] = None

# SPDX-License-Identifier: Apache-2.0
"""A place in a network where masks enter."""

from dataclasses import dataclass

from export.layers.randomness import MaskedRandomness


@dataclass(frozen=True)
class Site:
    """One call of a stochastic layer, or the DropBlock added to a tap.

    Attributes:
        layer: name of the layer whose output is masked.
        call: which of the layer's calls in one pass, from 0.
        randomness: what is drawn.
        noise_shape: shape of the uniform noise behind one mask: ``(H, W)`` for DropBlock, ``(C,)`` for channel
            dropout, the shape of one frame's features for dropout.
        mask_shape: shape that one mask takes to multiply one frame's share of the layer's output; its entry at
            ``batch_dim`` is ``rows``.
        batch_dim: dimension of the output that carries the frames.
        rows: entries along ``batch_dim`` for each frame, above 1 for attention in ``(B * heads, N, N)``.
        added: whether masks enter only where the tap reads the layer, nowhere else: DropBlock added to a layer that is not
            stochastic, or the layer's own masks where nothing but the tap is sampled.
    """

    layer: str
    call: int
    randomness: MaskedRandomness
    noise_shape: tuple[int, ...]
    mask_shape: tuple[int, ...]
    batch_dim: int = 0
    rows: int = 1
    added: bool = False

    def describe(self) -> dict[str, str | int | float | bool | list[int] | None]:
        """The site as JSON values for a manifest."""
        return {
            "layer": self.layer,
            "call": self.call,
            "kind": self.randomness.kind,
            **self.randomness.constants(),
            "noise_shape": list(self.noise_shape),
            "added": self.added,
        }

    def __str__(self) -> str:
        """The layer and what it draws."""
        times = f" (call {self.call + 1})" if self.call else ""
        return f"{self.layer}{times}: {'added ' if self.added else ''}{self.randomness} over {self.noise_shape}"

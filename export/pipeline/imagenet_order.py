# SPDX-License-Identifier: Apache-2.0
"""Notice that the mean of a network's input is ImageNet's in another order of channels than the one that is taken."""

from collections.abc import Sequence

from export.layers.preprocessing import GREY

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, of pixels in [0, 1]."""

_SHARE = 0.02
"""Greatest difference from ImageNet's mean, as a share of it; red and blue differ by 16 %."""


def imagenet_order(mean: Sequence[float]) -> str | None:
    """Tell ``rgb`` or ``bgr`` where a mean, of pixels in [0, 1] or 0 to 255, is ImageNet's in that order; None otherwise."""
    for white in (1, 255):
        for order, own in (("rgb", IMAGENET_MEAN), ("bgr", IMAGENET_MEAN[::-1])):
            if len(mean) == len(own) and all(
                abs(value - white * each) <= _SHARE * white * each for value, each in zip(mean, own, strict=True)
            ):
                return order
    return None


def contradiction(mean: Sequence[float], order: str) -> str | None:
    """Say that a mean is ImageNet's in another order than the one taken; None where it is not.

    Args:
        mean: of each channel.
        order: taken of the network's channels.
    """
    states = imagenet_order(mean)
    if states is None or order in (states, GREY):
        return None
    values = " ".join(f"{value:.6g}" for value in mean)
    return (
        f"the mean {values} is ImageNet's in the order {states.upper()}, and {order.upper()} is taken: "
        f"--network-channels {states}, if the network was trained on {states.upper()}"
    )

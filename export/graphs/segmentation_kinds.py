# SPDX-License-Identifier: Apache-2.0
"""Forms in which a bundle gives the segmentation."""

SEGMENTATION_KINDS = ("classes", "binary", "logits", "none")
"""``classes``: the most likely class of each pixel; ``binary``: the same of a network with one channel, 0 or 1;
``logits``: the network's output; ``none``: no decoder in the graph."""


def bundle_kind(kind: str) -> str:
    """Kind of a bundle's segmentation, as its manifest states it: a binary one has the classes 0 and 1."""
    return "classes" if kind == "binary" else kind

# SPDX-License-Identifier: Apache-2.0
"""Forms in which a bundle gives the segmentation."""

SEGMENTATION_KINDS = ("classes", "logits", "none")
"""``classes``: the most likely class of each pixel; ``logits``: the network's output; ``none``: no decoder in the graph."""

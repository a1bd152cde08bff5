# SPDX-License-Identifier: Apache-2.0
"""What a network can return for each class, or for the one of a binary segmentation."""

from typing import Literal

OutputForm = Literal["logits", "probabilities", "log-probabilities"]
"""``probabilities`` come from a softmax or, of one channel, from a sigmoid; ``log-probabilities`` are their logarithms."""

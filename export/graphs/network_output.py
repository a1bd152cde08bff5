# SPDX-License-Identifier: Apache-2.0
"""What a network's output is, and the logits that are made of it: scores of the output are computed from logits alone.

- One channel ``z``, a logit of the second of two classes, becomes the logits ``[0, z]``: their softmax is ``sigmoid(z)``.
- One channel of probabilities ``p`` becomes ``z = log(p / (1 - p))`` first, p held between ``SIGMOID_FLOOR`` and 1 less it.
- Probabilities of K classes become their logarithms, p held above ``SOFTMAX_FLOOR``, less their mean over the classes.
  A softmax hides what its logits have in common; with the logarithms as they are every energy would be 0.
- Log-probabilities likewise, without the logarithm.
"""

import math

import torch
from torch import Tensor

from export.graphs.output_forms import OutputForm

SOFTMAX_FLOOR = 1e-7
SIGMOID_FLOOR = 1e-4
"""Near 1 float32 steps by 6e-8: closer to 1 than this, rounding would show in the logit."""


def as_logits(output: Tensor, form: OutputForm) -> Tensor:
    """Make logits of a network's output; NaN stays NaN.

    Args:
        output: ``(B, K, h, w)``; K of 1 is the second of two classes.
        form: what it holds.

    Returns:
        ``(B, K, h, w)``, for K of 1 ``(B, 2, h, w)``.
    """
    if output.shape[1] == 1:
        return torch.cat([torch.zeros_like(output), _one_logit(output, form)], dim=1)
    if form == "logits":
        return output
    floor = math.log(SOFTMAX_FLOOR)
    logs = output.clamp(min=floor) if form == "log-probabilities" else output.clamp(min=SOFTMAX_FLOOR).log()
    return logs - logs.mean(dim=1, keepdim=True) + 0 * output  # ONNX Runtime's maximum passes over NaN


def _one_logit(output: Tensor, form: OutputForm) -> Tensor:
    if form == "logits":
        return output
    probabilities = output.exp() if form == "log-probabilities" else output
    held = probabilities.clamp(SIGMOID_FLOOR, 1 - SIGMOID_FLOOR)
    return held.log() - (1 - held).log() + 0 * output

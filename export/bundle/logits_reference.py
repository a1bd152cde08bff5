# SPDX-License-Identifier: Apache-2.0
"""Logits of a network's output in float64 by NumPy and SciPy: the reference that those in the graphs are compared with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from export.graphs.network_output import SIGMOID_FLOOR, SOFTMAX_FLOOR
from export.graphs.output_forms import OutputForm

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class LogitsReference:
    """Makes logits ``(..., K, h, w)`` of a network's output, where it is one of another form.

    Attributes:
        form: what the network returns.
    """

    form: OutputForm = "logits"

    def __call__(self, output: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logits as they are, in their own type; one channel becomes two."""
        if output.shape[-3] == 1:
            logits = self._one_logit(output.astype(np.float64))
            return np.concatenate([np.zeros_like(logits), logits], axis=-3)
        if self.form == "logits":
            return output
        output = output.astype(np.float64)
        probabilities = np.exp(output) if self.form == "log-probabilities" else output
        logs = np.log(np.maximum(probabilities, SOFTMAX_FLOOR))
        return np.asarray(logs - logs.mean(axis=-3, keepdims=True))

    def _one_logit(self, output: Doubles) -> Doubles:
        if self.form == "logits":
            return output
        probabilities = np.exp(output) if self.form == "log-probabilities" else output
        return np.asarray(logit(np.clip(probabilities, SIGMOID_FLOOR, 1 - SIGMOID_FLOOR)))

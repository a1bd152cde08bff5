# SPDX-License-Identifier: Apache-2.0
"""Multiplicative Gaussian noise (Srivastava et al. 2014, section 10), by which a graph can draw a latent from a Gaussian."""

import math
from typing import Self, cast

import torch
from torch import Tensor, nn

from export.layers.randomness import MaskedRandomness

_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip


def normal_quantile(uniform: Tensor) -> Tensor:
    """Turn uniform numbers in [0, 1) into standard normal ones, by operators that ONNX has.

    ``sqrt(2) erfinv(2 u - 1)`` with the polynomials of Giles 2012 ("Approximating the erfinv function"); 0 counts as 2^-25.
    """
    u = uniform.clamp(min=2.0**-25)
    w = -torch.log(4 * u * (1 - u))
    central, tail = w - 2.5, torch.sqrt(w.clamp(min=0.0)) - 3
    near, far = torch.full_like(u, _CENTRAL[0]), torch.full_like(u, _TAIL[0])
    for a, b in zip(_CENTRAL[1:], _TAIL[1:], strict=True):
        near, far = near * central + a, far * tail + b
    return math.sqrt(2) * (2 * u - 1) * torch.where(w < 5, near, far)


class GaussianDropout(nn.Module):
    """Multiplies by ``1 + s e`` with ``e`` standard normal and ``s^2 = p / (1 - p)`` in training; nothing in evaluation.

    Args:
        p: in (0, 1): the drop probability of the dropout that has the same mean and variance. 0.5 gives s = 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 < p < 1:
            raise ValueError(f"expected p in (0, 1), got {p}: 0.5 multiplies by a standard deviation of 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Multiply ``x`` of any shape with the noise; the same shape comes back."""
        return x * (1 + math.sqrt(self.p / (1 - self.p)) * torch.randn_like(x)) if self.training else x


class GaussianDropoutRandomness(MaskedRandomness):
    """Multiplies each element with normal noise around 1 of variance ``p / (1 - p)``."""

    kind = "gaussian-dropout"
    noun = "a Gaussian dropout"
    is_binary = False
    stores_weights = True

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """A layer whose class, or a base of it, is called ``GaussianDropout`` and that has a ``p``, of any package."""
        if not any(base.__name__ == "GaussianDropout" for base in type(module).__mro__) or not hasattr(module, "p"):
            return None
        p = float(cast(float, module.p))
        return cls(p) if p > 0 else None

    def keep(self, uniform: Tensor) -> Tensor:
        """Standard normal numbers."""
        return normal_quantile(uniform)

    def weights(self, keep: Tensor) -> Tensor:
        """Factors ``1 + s e``."""
        return 1 + math.sqrt(self.drop_prob / (1 - self.drop_prob)) * keep

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        """Add normal noise in proportion to the features."""
        variance = self.drop_prob / (1 - self.drop_prob)
        deviations: Tensor = features * keep * variance**0.5
        return features + deviations

    def no_drop_probability(self, draws: int) -> float:  # noqa: ARG002
        """No mask leaves the features as they are."""
        return 0.0


class LatentSample(nn.Module):
    """A draw from a Gaussian in training, its mean in evaluation: ``mean + std (1 + e - 1)``.

    The random part is a layer of its own, so that a sampler treats it as it treats dropout.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noise = GaussianDropout(0.5)

    def forward(self, mean: Tensor, log_std: Tensor) -> Tensor:
        """``(B, L)`` each to ``(B, L)``."""
        latent: Tensor = mean + log_std.exp() * (self.noise(torch.ones_like(mean)) - 1)
        return latent

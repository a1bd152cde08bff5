# SPDX-License-Identifier: Apache-2.0
"""Alpha dropout (Klambauer et al. 2017): recognised, so that a tap that needs it is refused."""

from typing import Self

from torch import nn

from export.layers.randomness import Randomness


class AlphaDropoutRandomness(Randomness):
    """Sets elements to a negative number and rescales all: no mask that multiplies does that, so it cannot be sampled."""

    kind = "alpha-dropout"
    noun = "an alpha dropout"

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """``nn.AlphaDropout`` and ``nn.FeatureAlphaDropout``."""
        if isinstance(module, nn.AlphaDropout | nn.FeatureAlphaDropout) and module.p > 0:
            return cls(float(module.p))
        return None

# SPDX-License-Identifier: Apache-2.0
"""Dropout of single elements (Srivastava et al. 2014): ``nn.Dropout``."""

from typing import Self

from torch import nn

from export.layers.randomness import MaskedRandomness


class DropoutRandomness(MaskedRandomness):
    """Drops single elements."""

    kind = "dropout"
    noun = "a dropout"

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """``nn.Dropout`` and its subclasses."""
        if isinstance(module, nn.Dropout) and module.p > 0:
            return cls(float(module.p))
        return None

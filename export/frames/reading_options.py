# SPDX-License-Identifier: Apache-2.0
"""Options of reading frames from files that do not say themselves what their values mean."""

from dataclasses import dataclass, field

from export.option_table import INPUT_AND_OUTPUT, flag
from lsood_runtime.offline import PixelRules


@dataclass(frozen=True)
class ReadingOptions:
    """What files do not say themselves; the vehicle's commands take the same flags. Each field's text is its flag's help."""

    grey: bool = field(
        default=False, metadata=flag("read grey images as colour ones, which is refused otherwise", INPUT_AND_OUTPUT)
    )
    bits: int | None = field(
        default=None,
        metadata=flag(
            "of values that are stored in 16 bits, 9 to 16: 12 for a sensor of 12 bits (default: they are refused)",
            INPUT_AND_OUTPUT,
            metavar="N",
            choices=tuple(range(9, 17)),
        ),
    )

    @property
    def rules(self) -> PixelRules:
        """The rules for :func:`export.frames.files.read_frame`."""
        return PixelRules(grey=self.grey, bits=self.bits)

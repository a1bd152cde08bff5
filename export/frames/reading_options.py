# SPDX-License-Identifier: Apache-2.0
"""Options of reading frames from files that do not say themselves what their values mean."""

from dataclasses import dataclass, field, replace
from typing import Self

from export.option_table import INPUT_AND_OUTPUT, flag
from lsood_runtime.offline import PixelRules, PixelsRecord

NOTHING_STATED = PixelsRecord()
"""Of frames that are read as they state themselves."""


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

    def completed_by(self, recorded: PixelsRecord) -> Self:
        """These options and, where they state nothing, what the manifest of a bundle records."""
        return replace(self, grey=self.grey or recorded.grey, bits=self.bits or recorded.bits)

    def record(self, recorded: PixelsRecord = NOTHING_STATED) -> PixelsRecord:
        """For the manifest of a bundle; of what these options cannot state, that of the bundle before it stays."""
        return replace(recorded, grey=self.grey, bits=self.bits)

    @property
    def rules(self) -> PixelRules:
        """The rules for :func:`export.frames.files.read_frame`."""
        return PixelRules(grey=self.grey, bits=self.bits)

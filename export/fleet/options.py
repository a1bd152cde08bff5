# SPDX-License-Identifier: Apache-2.0
"""Options of the figures of a fleet."""

from dataclasses import dataclass, field
from pathlib import Path

from export.errors import UsageError
from export.option_table import flag


@dataclass(frozen=True)
class FleetOptions:
    """Options of the figures of a fleet; each field's text is what ``--help`` says of its flag.

    Raises:
        UsageError: a rate that is none.
    """

    summaries: tuple[Path, ...] = field(
        metadata=flag(
            "files that lsood summary or a SummaryRecorder wrote, folders of them, or quoted patterns",
            name="summaries",
            metavar="SUMMARIES",
        )
    )
    out: Path = field(
        metadata=flag("write index.html, fleet.json and summaries.parquet into this folder", metavar="DIR")
    )
    rate: float = field(
        default=0.05,
        metadata=flag("share of what is named that may be there by chance (false discovery rate)", metavar="Q"),
    )
    min_frames: int = field(
        default=100,
        metadata=flag("frames of a day that a figure needs; those of fewer are not compared", metavar="N", least=1),
    )

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise UsageError(
                f"expected a share of chance findings between 0 and 1, got {self.rate:g}: 0.05 is the default"
            )

# SPDX-License-Identifier: Apache-2.0
"""Options of a benchmark over published data sets."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from export.datasets.find import split_of
from export.datasets.layout import DatasetLayout
from export.datasets.layouts import LAYOUTS, layout_named
from export.option_table import INPUT_AND_OUTPUT, MOST_SEED, flag

_FRAMES, _FIGURES = "frames", "figures"

Resizing = Literal["stretch", "crop"]
"""How frames of another size become those of the camera."""


class SplitChoice(NamedTuple):
    """A split of a data set.

    Attributes:
        layout: of the data set.
        split: name of the split.
    """

    layout: DatasetLayout
    split: str

    def __str__(self) -> str:
        """Its name as it is typed; the usual split is left out."""
        usual = self.split == self.layout.usual_split
        return self.layout.name if usual else f"{self.layout.name}:{self.split}"


def split_choice(word: str) -> SplitChoice:
    """Read ``NAME`` or ``NAME:SPLIT``.

    Raises:
        UsageError: no such data set, or no such split of it.
    """
    name, _, split = word.partition(":")
    layout = layout_named(name)
    split_of(layout, split or None)
    return SplitChoice(layout, split or layout.usual_split)


@dataclass(frozen=True)
class BenchmarkOptions:
    """Options of a benchmark; each field's text is what ``--help`` says of its flag."""

    bundle: Path = field(metadata=flag("the bundle that export or calibrate wrote", name="bundle", metavar="BUNDLE"))
    root: Path = field(
        metadata=flag("folder with a sub-folder for each data set that is there", INPUT_AND_OUTPUT, metavar="DIR")
    )
    ind: str = field(
        metadata=flag(
            "data set whose unseen frames are in distribution, with its split where that is not the usual one: "
            f"{', '.join(LAYOUTS)}",
            _FRAMES,
            metavar="NAME[:SPLIT]",
        )
    )
    out: Path = field(
        metadata=flag("folder for benchmark.md, benchmark.json and benchmark.svg", INPUT_AND_OUTPUT, metavar="DIR")
    )
    datasets: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "data sets to compare with, which must be there (default: whichever are)", _FRAMES, metavar="NAME[:SPLIT]"
        ),
    )
    fit: str | None = field(
        default=None,
        metadata=flag(
            "data set whose frames fit the other scores, among them a baseline that knows nothing but colour and contrast",
            _FRAMES,
            metavar="NAME[:SPLIT]",
        ),
    )
    resize: Resizing | None = field(
        default=None,
        metadata=flag(
            "make frames of another size those of the camera: stretch them, or crop them to its shape around the centre "
            "first (default: data sets of another size are skipped)",
            _FRAMES,
        ),
    )
    most: int | None = field(
        default=None,
        metadata=flag(
            "frames of each set at most, evenly spaced (default: all)", _FRAMES, metavar="N", least=2, most=1_000_000
        ),
    )
    operating_point: str | None = field(
        default=None,
        metadata=flag("operating point whose threshold is used (default: the bundle's)", _FIGURES, metavar="NAME"),
    )
    seed: int = field(default=0, metadata=flag("seed of the intervals", _FIGURES, least=0, most=MOST_SEED))
    threads: int | None = field(
        default=None,
        metadata=flag("CPU threads (default: one for each core)", _FIGURES, metavar="N", least=1, most=1024),
    )

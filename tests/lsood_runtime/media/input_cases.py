# SPDX-License-Identifier: Apache-2.0
"""What happens to every kind of input: each case is a row of the table on the page "Inputs", and a test.

A case makes a source as a camera, a driver or a crash leaves it, and states what comes of it. A module of cases holds a tuple
``CASES`` and is listed in :mod:`tests.lsood_runtime.media.input_table`; `test_input_cases.py` proves each one, over several
draws of its sizes and pixels, and the documentation is built from the same rows.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from lsood_runtime._bundle.records import PixelsRecord
from lsood_runtime._cli.arguments import add_pixels, add_sources, pixel_rules
from lsood_runtime._media.sources import SourceReader, find_sources
from tests.lsood_runtime.media.raw_images import Exact, assert_shows

Make = Callable[[Path, np.random.Generator], "MadeInput"]
"""Writes a source to a folder, from random numbers."""


class InputOutcome(Enum):
    """What comes of an input."""

    READ = "read"
    INVALID = "INVALID"
    ENDED = "ends the source"
    TORN = "INVALID, and ends the source"
    NOTED = "read, with a note"


@dataclass(frozen=True)
class MadeInput:
    """A source and its frames.

    Attributes:
        source: path as it is named on the command line.
        pictures: what each frame shows, ``(H, W, 3)`` RGB from 0 to 255, NaN where any value does; None for a frame that
            cannot be read.
        tolerance: of the frames.
    """

    source: Path
    pictures: tuple[Exact | None, ...]
    tolerance: float = 0.5 + 1e-4


@dataclass(frozen=True)
class InputCase:
    """A row of the table.

    Attributes:
        section: title under which the row stands.
        given: what comes, in Markdown.
        make: writes it to a folder, from random numbers.
        outcome: what comes of it.
        text: of what is read, how, in Markdown; else words of the reason, which the test looks for.
        flags: of the command, with which it is so.
        size: rows and columns that the monitor wants; None for any.
    """

    section: str
    given: str
    make: Make
    outcome: InputOutcome
    text: str
    flags: tuple[str, ...] = ()
    size: tuple[int, int] | None = None

    def row(self) -> str:
        """The row in Markdown."""
        happens = {
            InputOutcome.READ: self.text,
            InputOutcome.INVALID: f"INVALID: *{self.text}*",
            InputOutcome.ENDED: f"the source ends there, named: *{self.text}*",
            InputOutcome.TORN: f"INVALID: *{self.text}*; the source ends there, named",
            InputOutcome.NOTED: f"read, with a note: *{self.text}*",
        }[self.outcome]
        flags = f"`{' '.join(self.flags)}`" if self.flags else ""
        return f"| {self.given} | {flags} | {happens} |"

    def check(self, folder: Path, rng: np.random.Generator) -> None:
        """Make the source, read it as the commands do, and compare what came with what the row says."""
        made = self.make(folder, rng)
        parser = argparse.ArgumentParser()
        add_sources(parser)
        add_pixels(parser)
        options = parser.parse_args([str(made.source), *self.flags])
        reader = SourceReader(
            find_sources(options.files),
            "rgb",
            options.fps,
            options.topic,
            rules=pixel_rules(options, PixelsRecord()),
            size=self.size,
        )
        frames = list(reader)
        faults = [frame.fault for frame in frames if frame.fault]
        assert len(frames) == len(made.pictures), (faults, reader.failures)
        for frame, picture in zip(frames, made.pictures, strict=True):
            if picture is None:
                assert frame.image is None
            else:
                assert frame.image is not None, frame.fault
                assert_shows(frame.image, picture, made.tolerance)
        assert bool(faults) == (self.outcome in (InputOutcome.INVALID, InputOutcome.TORN))
        assert bool(reader.failures) == (self.outcome in (InputOutcome.ENDED, InputOutcome.TORN))
        reasons = faults if self.outcome is InputOutcome.TORN else [*faults, *reader.failures]
        assert all(self.text in reason for reason in reasons), reasons
        assert self.outcome is not InputOutcome.NOTED or any(self.text in note for note in reader.notes)


def are_read(section: str) -> Callable[..., InputCase]:
    """Make rows of a section for inputs that are read: what comes, how it is made, how it is read, flags."""

    def case(given: str, make: Make, text: str = "read", *flags: str) -> InputCase:
        return InputCase(section, given, make, InputOutcome.READ, text, flags)

    return case


def are_invalid(section: str) -> Callable[..., InputCase]:
    """Make rows of a section for frames that are INVALID: what comes, how it is made, words of the reason, flags."""

    def case(given: str, make: Make, text: str, *flags: str) -> InputCase:
        return InputCase(section, given, make, InputOutcome.INVALID, text, flags)

    return case

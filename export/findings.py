# SPDX-License-Identifier: Apache-2.0
"""Findings: what is known of a network and its data, from where, and the flags that state it."""

from dataclasses import dataclass
from typing import Literal

Origin = Literal["given", "found", "guessed", "missing"]

PLACEHOLDER = "VALUE"
"""Stands in the words of a command where the user alone knows the value."""

SUBJECTS = (
    "checkpoint",
    "network",
    "arguments",
    "weights",
    "frames",
    "input size",
    "padding",
    "channels",
    "mean and deviation",
    "output",
    "map",
    "tap",
    "DropBlock",
    "layer",
    "cost",
    "answers",
    "tiles",
    "anomaly map",
    "false tiles",
    "false objects",
)
"""Subjects in the order in which a table shows them; others come behind."""


@dataclass(frozen=True)
class Finding:
    """One thing that an export needs to know, and where it comes from.

    A step that decides something for the user tells the reporter:

        reporter.found(Finding("tap", "decoder.3", "guessed", "last layer of the lowest resolution", ("--tap", "decoder.3")))

    A step that cannot go on raises an :class:`export.errors.ExportError` with ``words=``, of which a missing finding is made.

    Attributes:
        subject: what it is about, one of :data:`SUBJECTS` where it fits.
        value: what is taken, in words that are short enough for a table; empty where nothing is known.
        origin: ``given`` by an option; ``found`` in the checkpoint, the weights or a file beside them; ``guessed`` by a rule
            that may err; ``missing``: an export refuses until it is stated.
        reason: how it was found, why it was guessed, or what is wrong, in one line without a full stop.
        words: flags that state it, as words of a command line, :data:`PLACEHOLDER` for what the user alone knows; none where
            there are no such flags. The completed command has those of what is guessed or missing.
    """

    subject: str
    value: str
    origin: Origin
    reason: str = ""
    words: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The finding in one line."""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.subject}: {self.value or PLACEHOLDER} ({self.origin}{reason})"


def in_order(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Sort findings by :data:`SUBJECTS`, those of other subjects behind; of one subject the first to come stays first."""
    places = {subject: place for place, subject in enumerate(SUBJECTS)}
    return tuple(sorted(findings, key=lambda finding: places.get(finding.subject, len(SUBJECTS))))

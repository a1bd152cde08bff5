# SPDX-License-Identifier: Apache-2.0
"""Report the stages of a long task and how far its loops have come."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from export.findings import Finding

T = TypeVar("T")


class Reporter(Protocol):
    """Receives the stages and the progress of a task; the console implements it in ``export.cli.console``."""

    def stage(self, text: str) -> None:
        """Report the stage that begins.

        Args:
            text: one line.
        """

    def found(self, *findings: Finding) -> None:
        """Report what was found, guessed or is missing: one thing as soon as it is known, or a whole table of them."""

    def completed(self, words: Iterable[str]) -> None:
        """Report the command that states what was guessed and what is missing.

        Args:
            words: behind ``python -m export``, with placeholders for what the user alone knows.
        """

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Give the items one by one and report how many are done.

        Args:
            items: over which the caller loops.
            what: is done with them, in a few words.
            total: how many there are.
        """


class SilentReporter:
    """A reporter that reports nothing, for use as a library."""

    def stage(self, text: str) -> None:
        """Ignore the text."""

    def found(self, *findings: Finding) -> None:
        """Ignore the findings."""

    def completed(self, words: Iterable[str]) -> None:
        """Ignore the command."""

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:  # noqa: ARG002  as the protocol
        """Give the items as they are."""
        return items


SILENT = SilentReporter()

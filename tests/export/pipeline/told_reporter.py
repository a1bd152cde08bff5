# SPDX-License-Identifier: Apache-2.0
"""A reporter from which tests read lines, findings and counts."""

from collections.abc import Iterable
from typing import TypeVar

from export.findings import Finding
from export.reporter import SilentReporter

T = TypeVar("T")


class ToldReporter(SilentReporter):
    """A reporter that keeps what it is told.

    Attributes:
        lines: of its stages.
        findings: by subject, the last one of each.
        told: all findings, in their order.
        counted: of each loop, how many items it took, and how many it was said to have.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.findings: dict[str, Finding] = {}
        self.told: list[Finding] = []
        self.counted: dict[str, tuple[int, int]] = {}

    def stage(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)

    def found(self, *findings: Finding) -> None:
        """Keep the findings."""
        self.told += findings
        self.findings |= {finding.subject: finding for finding in findings}

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Give the items and count them."""
        for count, item in enumerate(items, start=1):
            yield item
            self.counted[what] = (count, total)

# SPDX-License-Identifier: Apache-2.0
"""A reporter from which tests read lines and findings."""

from export.findings import Finding
from export.reporter import SilentReporter


class ToldReporter(SilentReporter):
    """A reporter that keeps what it is told.

    Attributes:
        lines: of its stages.
        findings: by subject, the last one of each.
        told: all findings, in their order.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.findings: dict[str, Finding] = {}
        self.told: list[Finding] = []

    def stage(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)

    def found(self, *findings: Finding) -> None:
        """Keep the findings."""
        self.told += findings
        self.findings |= {finding.subject: finding for finding in findings}

# SPDX-License-Identifier: Apache-2.0
"""Print what is given, found, guessed and missing as a table, and the plan of an export with its completed command."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from export.cli.console import ConsoleReporter
from export.cli.next_command import next_command
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding
from export.pipeline.options import ExportOptions
from lsood_runtime.offline import one_line


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print one row for each finding.

    Args:
        findings: in the order of the rows.
        console: that prints them, folded to its width.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        text = ": ".join(filter(None, (finding.value, finding.reason))) or PLACEHOLDER
        table.add_row(*map(one_line, (finding.subject, finding.origin, text)))
    console.print(table)


def print_plan(options: ExportOptions, reporter: ConsoleReporter) -> None:
    """Plan an export, print the table and the completed command, and begin nothing.

    Args:
        options: of the export; its ``frames`` may be empty.
        reporter: told each stage as it begins.

    Raises:
        UsageError: something is missing, which the table names.
    """
    from export.pipeline.plan import plan_export

    plan = plan_export(options, reporter)
    if not reporter.quiet:
        print_findings(plan.findings, Console(highlight=False, markup=False))
        print(next_command("python", "-m", "export", *(plan.command or ())))
    if plan.problems:
        count = len(plan.problems)
        things = "one thing is" if count == 1 else f"{count} things are"
        remedy = "do what the table says, the command above has what is known"
        if plan.is_complete:
            remedy = "run the command above"
        elif plan.is_stated:
            remedy = f"put what you know in place of {PLACEHOLDER} in the command above"
        raise UsageError(f"expected nothing to be missing, {things}: {remedy}")

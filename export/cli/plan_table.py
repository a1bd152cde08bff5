# SPDX-License-Identifier: Apache-2.0
"""Print the plan of an export: the table of what is given, found, guessed and missing, and the completed command."""

import shutil

from export.cli.console import ConsoleReporter
from export.cli.findings_table import findings_table
from export.cli.next_command import next_command
from export.errors import UsageError
from export.findings import PLACEHOLDER
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export


def print_plan(options: ExportOptions, reporter: ConsoleReporter) -> None:
    """Plan an export, print the table and the completed command, and begin nothing.

    Args:
        options: of the export; its ``frames`` may be empty.
        reporter: told each stage as it begins.

    Raises:
        UsageError: something is missing, which the table names.
    """
    plan = plan_export(options, reporter)
    if not reporter.quiet:
        print(findings_table(plan.findings, shutil.get_terminal_size().columns))
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

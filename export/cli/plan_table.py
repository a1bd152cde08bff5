# SPDX-License-Identifier: Apache-2.0
"""Print the plan of an export or a search: what is given, found, guessed and missing, and the completed command."""

import shutil

from export.cli.findings_table import findings_table
from export.cli.next_command import next_command
from export.errors import UsageError
from export.findings import PLACEHOLDER
from export.pipeline.plan import ExportPlan


def print_plan(plan: ExportPlan) -> None:
    """Print the table of a plan, and the completed command where there is one: the result of a dry run, also of a quiet one.

    Args:
        plan: of an export or a search.

    Raises:
        UsageError: something is missing, which the table names.
    """
    print(findings_table(plan.findings, shutil.get_terminal_size().columns))
    if plan.next_words is not None:
        print(next_command("python", "-m", "export", *plan.next_words))
    if plan.problems:
        count = len(plan.problems)
        things = "one thing is" if count == 1 else f"{count} things are"
        remedy = f"put what you know in place of {PLACEHOLDER} in the command above"
        if plan.is_complete:
            remedy = "run the command above"
        elif plan.next_words is None:
            subjects = " and ".join(plan.undecided) or "the options"
            remedy = f"decide on {subjects} as the table says, then type your command anew"
        raise UsageError(f"expected nothing to be missing, {things}: {remedy}")

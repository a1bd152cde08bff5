# SPDX-License-Identifier: Apache-2.0
"""Format findings as a table: what is given, found, guessed and missing, and why."""

import textwrap
from collections.abc import Sequence

from export.findings import PLACEHOLDER, Finding
from lsood_runtime.offline import one_line


def findings_table(findings: Sequence[Finding], width: int) -> str:
    """Format one row for each finding: subject, origin, and value with its reason.

    Args:
        findings: in the order of the rows.
        width: of a line, beyond which the last column is folded.
    """
    heads = [(one_line(finding.subject), finding.origin) for finding in findings]
    widths = [max(len(head[column]) for head in heads) for column in (0, 1)]
    indent = sum(widths) + 4
    lines = []
    for (subject, origin), finding in zip(heads, findings, strict=True):
        text = ": ".join(filter(None, (finding.value, finding.reason))) or PLACEHOLDER
        first, *others = textwrap.wrap(one_line(text), max(width - indent, 20), break_on_hyphens=False) or [""]
        lines.append(f"{subject:<{widths[0]}}  {origin:<{widths[1]}}  {first}")
        lines += [" " * indent + line for line in others]
    return "\n".join(lines)

# SPDX-License-Identifier: Apache-2.0
"""The capability table, written into its page from the table that the exporter refuses by."""

from typing import Any

from export.pipeline.capabilities import capability_table

MARK = "<!-- capability table -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table where a page has the mark; MkDocs calls this."""
    return markdown.replace(MARK, capability_table())

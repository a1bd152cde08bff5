# SPDX-License-Identifier: Apache-2.0
"""Tables of the documentation that are written from the code and the tests: capabilities, data sets, detectors, inputs."""

from typing import Any

from export.datasets.tables import dataset_table, layout_table
from export.detectors.registry import detector_table
from export.pipeline.capabilities import capability_table
from tests.lsood_runtime.media.input_table import input_table

TABLES = {
    "<!-- capability table -->": capability_table,
    "<!-- dataset layouts -->": layout_table,
    "<!-- dataset table -->": dataset_table,
    "<!-- detector table -->": detector_table,
    "<!-- input table -->": input_table,
}
"""What each mark in a page is replaced by."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page has their marks; MkDocs calls this."""
    for mark, table in TABLES.items():
        markdown = markdown.replace(mark, table())
    return markdown

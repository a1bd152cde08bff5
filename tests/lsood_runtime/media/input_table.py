# SPDX-License-Identifier: Apache-2.0
"""The table of inputs that the documentation shows, written from the cases that the tests prove."""

from itertools import groupby

from tests.lsood_runtime.media import container_cases, message_cases, picture_cases, recording_cases, video_cases
from tests.lsood_runtime.media.input_cases import InputCase

CASES: tuple[InputCase, ...] = (
    *message_cases.CASES,
    *picture_cases.CASES,
    *video_cases.CASES,
    *container_cases.CASES,
    *recording_cases.CASES,
)
"""Every case; those of a section stand side by side."""


def input_table() -> str:
    """The sections in Markdown, each a heading and a table."""
    blocks = []
    for section, cases in groupby(CASES, key=lambda case: case.section):
        rows = [case.row() for case in cases]
        blocks.append(
            "\n".join([f"## {section}", "", "| what comes | read with | what happens |", "|---|---|---|", *rows])
        )
    return "\n\n".join(blocks)

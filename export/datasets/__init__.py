# SPDX-License-Identifier: Apache-2.0
"""Published data sets by name: where their frames and labels lie, and what the numbers in the labels stand for."""

from export.datasets.find import FoundFrame, find_frames
from export.datasets.label_encoding import VOID, LabelEncoding
from export.datasets.layout import DatasetLayout, DatasetSplit
from export.datasets.layouts import LAYOUTS, layout_named

__all__ = [
    "LAYOUTS",
    "VOID",
    "DatasetLayout",
    "DatasetSplit",
    "FoundFrame",
    "LabelEncoding",
    "find_frames",
    "layout_named",
]

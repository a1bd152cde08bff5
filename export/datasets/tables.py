# SPDX-License-Identifier: Apache-2.0
"""The published data sets as tables of Markdown, for the documentation."""

from export.datasets.layout import DatasetLayout
from export.datasets.layouts import LAYOUTS
from export.datasets.path_template import shown


def dataset_table() -> str:
    """Name, terms, size and use of each data set."""
    rows = [
        f"| `{layout.name}` | [{layout.title}]({layout.home}) | {layout.terms} | {layout.size} | {layout.good_for} |"
        for layout in LAYOUTS.values()
    ]
    return "\n".join(
        ["| name | data set | terms of use | size | what it is good for |", "|---|---|---|---|---|", *rows]
    )


def layout_table() -> str:
    """Folders and files of each data set, for its usual split."""
    rows = []
    for layout in LAYOUTS.values():
        split = layout.splits[layout.usual_split]
        files = f"`{shown(split.frames)}` | `{shown(split.labels or '')}`"
        rows.append(f"| `{layout.name}` | {_splits(layout)} | {files} | {_classes(layout)} |")
    return "\n".join(
        ["| name | splits | frames of the first split | their labels | classes |", "|---|---|---|---|---|", *rows]
    )


def _splits(layout: DatasetLayout) -> str:
    names = sorted(layout.splits, key=lambda name: name != layout.usual_split)
    return ", ".join(f"`{name}`" + ("" if layout.splits[name].labels else " (frames alone)") for name in names)


def _classes(layout: DatasetLayout) -> str:
    return "known and unknown" if layout.masks_unknown else str(len(layout.classes))

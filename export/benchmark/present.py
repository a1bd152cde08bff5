# SPDX-License-Identifier: Apache-2.0
"""Find the folders of published data sets below one folder."""

from pathlib import Path

from export.benchmark.options import SplitChoice
from export.datasets.find import check_root, split_of
from export.errors import UsageError


def folder_of_dataset(root: Path, choice: SplitChoice) -> Path:
    """The sub-folder of ``root`` that holds a data set: one of its usual names, in any case, with the folders of the split.

    Raises:
        UsageError: there is none, or those that there are lack a folder of the split.
    """
    layout = choice.layout
    names = [_plain(name) for name in (layout.name, *layout.folders)]
    candidates = sorted(
        (path for path in root.iterdir() if path.is_dir() and _plain(path.name) in names),
        key=lambda path: (names.index(_plain(path.name)), path.name),
    )
    reasons: list[UsageError] = []
    for folder in candidates:
        try:
            check_root(layout, split_of(layout, choice.split), folder)
        except UsageError as error:
            reasons.append(error)
        else:
            return folder
    if reasons:
        raise reasons[0]
    raise UsageError(
        f"expected a folder {' or '.join((layout.name, *layout.folders))} in {root}, found none: unpack {layout.title} there"
    )


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")

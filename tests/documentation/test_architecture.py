# SPDX-License-Identifier: Apache-2.0
"""``docs/architecture.md`` shows the folders and import directions that there are."""

import re
import tomllib
from itertools import pairwise

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def layers() -> list[set[str]]:
    """Layers of the import contract of ``export``, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract.get("containers") == ["export"]]
    return [{name.strip() for name in layer.split("|")} for layer in contract["layers"]]


def test_architecture_page_drawing_has_the_layers_of_the_import_contract() -> None:
    drawing = PAGE.partition("```mermaid")[2].partition("```")[0]
    boxes = re.findall(r'(\w+)\["(.+?)"\]', drawing)
    drawn = [{name.strip().removesuffix(".py") for name in text.split(",")} for _, text in boxes]
    arrows = re.findall(r"(\w+)(?:\[.*?\])? --> (?=(\w+))", drawing)

    assert drawn == [layer for layer in layers() if layer != {"__main__"}]
    assert arrows == [(above, below) for (above, _), (below, _) in pairwise(boxes)]


def test_architecture_page_folder_table_lists_every_folder_of_export() -> None:
    table = PAGE.partition("begin reading at |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))

    assert listed == {path.parent.name for path in (ROOT / "export").glob("*/__init__.py")}

# SPDX-License-Identifier: Apache-2.0
"""The notebook from a checkpoint to a report: ten cells of code that run one after the other."""

import json
from pathlib import Path

import pytest

from lsood_runtime import OoDMonitor

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebooks" / "from_checkpoint_to_report.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code), "outputs are not kept"
    return ["".join(cell["source"]) for cell in code]


def test_notebook_has_ten_cells_that_compile_and_names_files_that_exist(cells: list[str]) -> None:
    assert len(cells) == 10
    for number, cell in enumerate(cells):
        compile(cell, f"cell {number}", "exec")
    (checkpoint,) = [line.split('"')[1] for line in cells[0].splitlines() if line.startswith("CHECKPOINT")]
    assert (ROOT / checkpoint).is_file()


@pytest.mark.slow  # an export with answers and an evaluation: about a minute
def test_notebook_run_from_top_to_bottom_leaves_a_bundle_and_a_report(
    cells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "notebook"}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"cell {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "OUT_OF_DISTRIBUTION" in said
    assert "the whole report: notebook/report/index.html\n" in said
    rows = [line.split() for line in said.splitlines() if line[4:9] == ".png "]
    assert len(rows) == 24
    assert not any(row[2:] for row in rows[:12]), "the first half of the drive is clean"
    assert rows[-1][2:] == ["alarm"]
    figures = json.loads((tmp_path / "notebook" / "report" / "figures.json").read_text())
    assert len(figures["shifts"]) == 6
    with OoDMonitor(tmp_path / "notebook" / "monitor", self_test=True) as monitor:
        assert monitor.manifest.answers is not None

# SPDX-License-Identifier: Apache-2.0
"""The selection over Ray: with a stand-in that pickles what Ray would send, and with Ray where it is installed."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from lsood_runtime import FrameSelector
from tests.examples.loading import load_example
from tests.examples.ray_stand_in import RayStandIn
from tests.lsood_runtime.select.rows import make_rows, write_csv
from tests.paths import EXAMPLES


def write_shards(folder: Path, count: int) -> list[str]:
    return [str(write_csv(folder / f"{seed}.csv", make_rows(12, seed))) for seed in range(count)]


def expected(files: list[str], budget: int) -> list[str]:
    selector = FrameSelector(budget)
    for file in files:
        selector.read(file)
    return [pick.frame for pick in selector.select().picks]


def test_ray_select_over_tasks_equals_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, ray, files = load_example("ray_select"), RayStandIn(), write_shards(tmp_path, 35)
    monkeypatch.setitem(sys.modules, "ray", ray)
    out = tmp_path / "pick.csv"
    assert module.main([*files, "--budget", "12", "--files-a-task", "2", "--out", str(out)]) == 0
    with out.open(newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == expected(files, 12)
    assert ray.tasks == 18 + 2 + 1
    assert "picked from 420 rows of 35 files" in capsys.readouterr().out
    for words, message in (
        ([files[0], "--budget", "0"], "expected a budget"),
        ([files[0], "--budget", "5", "--files-a-task", "0"], "expected 1 file a task"),
        (["nowhere.csv", "--budget", "5"], "got nowhere.csv: No such file"),
    ):
        with pytest.raises(SystemExit):
            module.main([*words, "--out", str(out)])
        assert message in capsys.readouterr().err


@pytest.mark.timeout(900)
def test_ray_select_with_ray_equals_one_process(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is large and not among the development packages")
    files, out = write_shards(tmp_path, 5), tmp_path / "pick.csv"
    command = [sys.executable, str(EXAMPLES / "ray_select.py"), *files, "--budget", "6", "--files-a-task", "2"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == expected(files, 6)

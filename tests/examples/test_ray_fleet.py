# SPDX-License-Identifier: Apache-2.0
"""The merge of a fleet over Ray: with a stand-in that pickles what Ray would send, and with Ray where it is installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from export.cli.fleet import main as fleet_command
from lsood_runtime import write_summaries
from tests.examples.loading import load_example
from tests.examples.ray_stand_in import RayStandIn
from tests.lsood_runtime.fleet.drawn_summaries import drawn_frames, summary_of
from tests.paths import EXAMPLES

NEEDS = ["--min-frames", "10"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Eleven files of four vehicles, whose days are cut into parts."""
    folder = tmp_path / "summaries"
    folder.mkdir()
    for number in range(11):
        parts = [summary_of(drawn_frames(10 * number + i, 20), f"car-{(number + i) % 4}") for i in range(2)]
        write_summaries(parts, folder / f"{number}.parquet")
    return [str(path) for path in sorted(folder.iterdir())]


def same_fleet(one: Path, other: Path) -> None:
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for name in ("summaries.parquet", "fleet.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_ray_fleet_over_tasks_equals_the_command(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, ray, out = load_example("ray_fleet"), RayStandIn(), tmp_path / "fleet"
    monkeypatch.setattr("export.fleet.fleet_page.render_fleet", lambda *_: "")  # which takes seconds
    assert fleet_command([*files, *NEEDS, "--out", str(out), "--quiet"]) == 0
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert module.main([*files, *NEEDS, "--files-a-task", "2", "--out", str(tmp_path / "ray")]) == 0
    assert ray.tasks == ray.waited == 6 + 3 + 2
    same_fleet(tmp_path / "ray", out)
    assert json.loads((out / "fleet.json").read_text())["files"] == 11
    assert "4 vehicles on 1 day, 1 camera: 4 daily summaries from 11 files." in capsys.readouterr().out


def test_ray_fleet_refuses_in_words_and_leaves_nothing(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, out = load_example("ray_fleet"), tmp_path / "fleet"
    monkeypatch.setitem(sys.modules, "ray", RayStandIn())
    Path(files[7]).write_bytes(b"no Parquet")
    for words, message in (
        ([*files, "--files-a-task", "3"], f"expected a whole file of daily summaries, got {files[7]}: "),
        ([*files, "--files-a-task", "1"], "expected 2 files a task or more, got 1"),
        ([files[0], "--rate", "2"], "expected a share of chance findings between 0 and 1, got 2"),
        (["nowhere/"], "expected files of daily summaries or a folder of them, found nothing at nowhere"),
    ):
        with pytest.raises(SystemExit):
            module.main([*words, "--out", str(out)])
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["summaries"]


@pytest.mark.parametrize("error", [None, RuntimeError("a worker died"), KeyboardInterrupt()])
def test_folder_of_the_tasks_goes_when_all_of_them_have_ended(
    files: list[str], tmp_path: Path, error: BaseException | None
) -> None:
    module, ray = load_example("ray_fleet"), RayStandIn()
    given, waited_with = ray.get, list[bool]()

    def get(result: Any) -> Any:
        if error is not None:
            raise error
        return given(result)

    def wait(results: Any, num_returns: int) -> None:
        waited_with.append(num_returns == len(results) == ray.tasks and any(tmp_path.glob(".merged.parquet.*")))

    ray.get, ray.wait = get, wait
    paths = [Path(file) for file in files]
    if error is None:
        assert module.merge_over(ray, 3, paths, tmp_path / "merged.parquet") == 4
    else:
        with pytest.raises(type(error)):
            module.merge_over(ray, 3, paths, tmp_path / "merged.parquet")
    assert waited_with == [True]
    assert not any(tmp_path.glob(".merged.parquet.*"))


@pytest.mark.timeout(900)
def test_ray_fleet_with_ray_equals_the_command(files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is large and not among the development packages")
    assert fleet_command([*files, *NEEDS, "--out", str(tmp_path / "fleet"), "--quiet"]) == 0
    command = [sys.executable, str(EXAMPLES / "ray_fleet.py"), *NEEDS, "--files-a-task", "3"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "ray"), *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    same_fleet(tmp_path / "ray", tmp_path / "fleet")
    Path(files[7]).write_bytes(b"no Parquet")
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "ray"), *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    told = f"ray_fleet.py: error: expected a whole file of daily summaries, got {files[7]}: "
    assert any(line.startswith(told) for line in done.stderr.splitlines()), done.stderr

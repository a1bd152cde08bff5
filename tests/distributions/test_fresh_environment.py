# SPDX-License-Identifier: Apache-2.0
"""Both wheels in fresh environments: with numpy and ONNX Runtime alone, with each extra, with the lowest allowed versions."""

import venv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from export.data import FrameFiles
from lsood_runtime import OoDMonitor
from tests.distributions.conftest import Builds, ended, run
from tests.distributions.projects import EXPORT, RUNTIME, project
from tests.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
CONSTRAINTS = ROOT / "constraints.txt"

_SCORE = """
import sys, numpy, lsood_runtime
frame = numpy.load(sys.argv[2])
with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
    print(repr(monitor.score(frame)))
"""


def environment(folder: Path, *requirements: str | Path, constraints: Path = CONSTRAINTS) -> Path:
    """The interpreter of a new environment in which requirements are installed, none of which contradicts another."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    install(python, *requirements, constraints=constraints)
    return python


def install(python: Path, *requirements: str | Path, constraints: Path = CONSTRAINTS) -> None:
    command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints, *requirements]
    run("env", "-u", "PIP_CONSTRAINT", *command)
    assert "No broken requirements found" in run(python, "-m", "pip", "check")


def installed(python: Path) -> set[str]:
    return {line.split("==")[0].lower() for line in run(python, "-m", "pip", "list", "--format=freeze").split()}


def score_of(python: Path, bundle: Path, folder: Path, frames: Path) -> tuple[float, float]:
    """The score of a frame by an environment, and by this one."""
    frame = FrameFiles([frames])[3]
    np.save(folder / "frame.npy", frame)
    score = float(run(python, "-c", _SCORE, bundle, folder / "frame.npy"))
    with OoDMonitor(bundle) as monitor:
        return score, monitor.score(frame)


def test_wheel_with_numpy_and_onnx_runtime_alone_scores(
    builds: Builds, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "bare", f"{builds.runtime}[cpu]")
    # What numpy and ONNX Runtime themselves ask for, and pip.
    known = {RUNTIME, "numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf", "pip", "setuptools"}
    assert installed(python) <= known
    there, here = score_of(python, bundle, tmp_path, frames)
    assert there == here
    assert (
        run(python, "-c", "import importlib.util as u; print(u.find_spec('export'), u.find_spec('tests'))")
        == "None None\n"
    )
    assert run(python.with_name("lsood"), "inspect", bundle) == run(python, "-m", "lsood_runtime", "inspect", bundle)
    assert not python.with_name("lsood-export").exists()
    done = ended(python.with_name("lsood"), "score", bundle, frames / "0000.png")
    assert done.returncode == 2
    assert f"with its extra media, pip install '{builds.runtime.name}[media]'" in done.stderr


@pytest.mark.parametrize("extra", sorted(set(project(RUNTIME)["optional-dependencies"]) - {"cpu", "gpu"}))
def test_wheel_with_each_extra_installs_and_scores(
    extra: str, builds: Builds, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "extra", f"{builds.runtime}[cpu,{extra}]")
    there, here = score_of(python, bundle, tmp_path, frames)
    assert there == pytest.approx(here, rel=1e-3)


def test_wheel_with_the_extra_gpu_can_be_resolved(builds: Builds, tmp_path: Path) -> None:
    """Its packages are gigabytes: what pip would install is looked at alone."""
    python = environment(tmp_path / "gpu", f"{builds.runtime}")
    words: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    assert '"onnxruntime-gpu"' in run(*words, f"{builds.runtime}[gpu]")


def test_both_wheels_export_search_and_evaluate(
    builds: Builds, checkpoint: Path, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "offline", f"{builds.runtime}[cpu,media]", builds.export)
    assert not installed(python) & {"pandas", "matplotlib", "pacmap", "pytest", "mkdocs"}
    for command in ([], ["calibrate"], ["evaluate"], ["search"]):
        assert "exit codes" in run(python.with_name("lsood-export"), *command, "--help")
    _search_and_evaluate(python, checkpoint, bundle, frames, tmp_path)
    evaluate: list[str | Path] = [python, "-m", "export", "evaluate", bundle, "--ind", frames, *_QUICK]
    done = ended(*evaluate, "--report", tmp_path / "report")
    assert done.returncode == 2
    assert f"with its extra guide, pip install '{builds.export.name}[guide]'" in done.stderr.strip().splitlines()[-1]
    install(python, f"{builds.export}[guide]", f"{builds.runtime}[cpu,media]")
    run(*evaluate, "--report", tmp_path / "report")
    assert (tmp_path / "report" / "index.html").is_file()


_QUICK = ["--synthetic", "fog", "--severities", "3", "--every", "4"]


def _search_and_evaluate(python: Path, checkpoint: Path, bundle: Path, frames: Path, folder: Path) -> None:
    quick = ["--samples", "8", "--detectors", "kde", "--shifts", "fog", "--every", "4", "--timed", "0", "--quiet"]
    files: list[str | Path] = ["--ckpt", checkpoint, "--frames", frames, "--out", folder / "rows.csv"]
    run(python, "-m", "export", "search", *files, *quick)
    assert "auroc_fog" in (folder / "rows.csv").read_text()
    assert "auroc" in run(python, "-m", "export", "evaluate", bundle, "--ind", frames, *_QUICK, "--json")


def lowest(requirements: Iterable[str]) -> list[str]:
    """Requirements pinned to the lowest version that each allows."""
    parsed = map(Requirement, requirements)
    return [f"{entry.name}=={limit.version}" for entry in parsed for limit in entry.specifier if limit.operator == ">="]


def test_wheel_with_the_lowest_versions_scores(builds: Builds, bundle: Path, frames: Path, tmp_path: Path) -> None:
    table = project(RUNTIME)
    pins = lowest([*table["dependencies"], *table["optional-dependencies"]["cpu"]])
    assert len(pins) == 2
    (tmp_path / "lowest.txt").write_text("\n".join(pins))
    python = environment(tmp_path / "lowest", f"{builds.runtime}[cpu]", constraints=tmp_path / "lowest.txt")
    there, here = score_of(python, bundle, tmp_path, frames)
    assert there == pytest.approx(here, rel=1e-3)


def test_both_wheels_with_the_lowest_versions_export_search_and_evaluate(
    builds: Builds, checkpoint: Path, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    """Torch is the one of the constraints: older ones bring gigabytes of CUDA packages from the index."""
    runtime, export = project(RUNTIME), project(EXPORT)
    media = runtime["optional-dependencies"]["media"]
    pins = lowest([*runtime["dependencies"], *runtime["optional-dependencies"]["cpu"], *media, *export["dependencies"]])
    torch = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
    by_name = {pin.split("==")[0]: pin for pin in [*pins, torch]}  # of numpy, that of the offline stage
    (tmp_path / "lowest.txt").write_text("\n".join(by_name.values()))
    wheels = (f"{builds.runtime}[cpu,media]", builds.export)
    python = environment(tmp_path / "lowest", *wheels, constraints=tmp_path / "lowest.txt")
    _search_and_evaluate(python, checkpoint, bundle, frames, tmp_path)
    run(python, "-m", "export", "--ckpt", checkpoint, "--frames", frames, "--out", tmp_path / "monitor", "--quiet")
    run(python.with_name("lsood"), "selftest", tmp_path / "monitor")


@pytest.mark.parametrize("newest", [{"torch": "2.14.1", "torchvision": "0.29.1"}])
def test_both_wheels_with_the_newest_torch_and_torchvision_export_search_and_evaluate(
    newest: dict[str, str], builds: Builds, checkpoint: Path, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    pins = [line for line in CONSTRAINTS.read_text().splitlines() if line.split("==")[0] not in newest]
    wanted = [f"{name}=={version}" for name, version in newest.items()]
    (tmp_path / "newest.txt").write_text("\n".join([*pins, *wanted]))
    wheels = (f"{builds.runtime}[cpu,media]", builds.export)
    python = environment(tmp_path / "newest", *wheels, *wanted, constraints=tmp_path / "newest.txt")
    versions = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    assert [each.split("+")[0] for each in run(python, "-c", versions).split()] == list(newest.values())
    _search_and_evaluate(python, checkpoint, bundle, frames, tmp_path)
    run(python, "-m", "export", "--ckpt", checkpoint, "--frames", frames, "--out", tmp_path / "monitor", "--quiet")
    run(python.with_name("lsood"), "selftest", tmp_path / "monitor")

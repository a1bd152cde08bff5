# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime from the oldest allowed release to the newest: bundles load and score alike; older ones are refused."""

import json
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from export.precision.options import FLOAT16, INT8, PrecisionOptions
from lsood_runtime import OoDMonitor
from lsood_runtime._ort_version import OLDEST, check_ort_version, release
from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FROZEN = sorted((ROOT / "tests" / "data" / "bundles").iterdir())
LOOSE = {"max_flips": 1.0, "max_auroc_loss": 1.0, "max_pixel_changes": 1.0}
NUMBERS = st.lists(st.integers(0, 40), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))


@given(NUMBERS, st.sampled_from(["", ".dev20260101", "rc1", "+cu12"]))
def test_release_of_any_version_is_that_of_packaging(numbers: str, rest: str) -> None:
    assert release(numbers + rest) == Version(numbers + rest).release


@given(NUMBERS)
def test_check_ort_version_refuses_exactly_what_is_older(version: str) -> None:
    if Version(version) >= Version(OLDEST):
        check_ort_version(version)
        return
    with pytest.raises(ImportError, match=rf"expected ONNX Runtime {re.escape(OLDEST)} or newer, got {version}: pip"):
        check_ort_version(version)


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_extra_asks_for_the_oldest_onnx_runtime_that_loads_bundles(extra: str) -> None:
    (requirement,) = PROJECT["optional-dependencies"][extra]
    assert requirement.endswith(f">={OLDEST}")


def test_importing_the_package_beside_an_older_onnx_runtime_is_refused_in_one_line(tmp_path: Path) -> None:
    script = "import onnxruntime; onnxruntime.__version__ = '1.23.9'; import lsood_runtime"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: expected ONNX Runtime {OLDEST} or newer, got 1.23.9")


_SCORES = """
import json, sys, numpy, onnxruntime, lsood_runtime
from importlib.util import find_spec
found = {"version": onnxruntime.__version__, "more": [name for name in ("torch", "onnx") if find_spec(name)]}
for folder in sys.argv[1:]:
    with lsood_runtime.OoDMonitor(folder) as monitor:
        contract = monitor.manifest.input
        shape = (5, contract.frame_height, contract.frame_width, 3)
        frames = numpy.random.default_rng(0).integers(0, 256, shape, numpy.uint8)
        found[folder] = [monitor.self_test().passed, *map(monitor.score, frames), *monitor.score_batch(frames)]
print(json.dumps(found))
"""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment or None)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module", params=[f"=={OLDEST}", ""], ids=["oldest", "newest"])
def onnx_runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with numpy and the oldest or the newest ONNX Runtime."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "numpy")
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", f"onnxruntime{request.param}")
    return python


@pytest.mark.slow
def test_bundles_on_the_oldest_and_the_newest_onnx_runtime_score_as_on_this_one(
    onnx_runtime: Path, export_small: Callable[..., Path]
) -> None:
    """Frozen bundles, and new ones of the default detector in float32, float16 and int8."""
    new = [export_small(fuse=True)]
    new += [export_small(precision=PrecisionOptions(kind, **LOOSE)) for kind in (FLOAT16, INT8)]
    folders = [*FROZEN, *new]
    found = json.loads(run(onnx_runtime, "-c", _SCORES, *folders, PYTHONPATH=str(ROOT), PATH="/usr/bin:/bin"))
    assert found.pop("more") == []
    assert release(found.pop("version")) >= release(OLDEST)
    for folder in folders:
        passed, *scores = found[str(folder)]
        assert passed
        with OoDMonitor(folder) as monitor:
            contract = monitor.manifest.input
            shape = (5, contract.frame_height, contract.frame_width, 3)
            frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            here = [*map(monitor.score, frames), *monitor.score_batch(frames)]
            allowed = monitor.manifest.golden.tolerance["cpu"]
        np.testing.assert_allclose(scores, here, rtol=1e-3, atol=allowed, err_msg=folder.name)


RUNTIME_TESTS = ("bundle/test_schema.py", "test_monitor.py", "test_states.py", "test_assess_batch.py")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_runtime_on_the_oldest_and_the_newest_onnx_runtime_passes_its_tests(onnx_runtime: Path, tmp_path: Path) -> None:
    (package,) = (onnx_runtime.parents[1] / "lib").glob("python*/site-packages/onnxruntime")
    (tmp_path / "onnxruntime").symlink_to(package)
    tests = [ROOT / "tests" / "lsood_runtime" / name for name in RUNTIME_TESTS]
    path = f"{tmp_path}:{ROOT}"
    options = ["-q", "-m", "not slow", "--rootdir", str(ROOT), "--basetemp", str(tmp_path / "t")]
    assert " passed" in run(
        sys.executable, "-m", "pytest", *options, *tests, PYTHONPATH=path, PATH="/usr/bin:/bin", HOME=str(tmp_path)
    )

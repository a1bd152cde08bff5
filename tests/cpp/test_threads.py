# SPDX-License-Identifier: Apache-2.0
"""Monitors in several threads give the verdicts of one, and the sanitizer of threads finds nothing in them."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.data.synthetic import SyntheticRoads
from tests.conftest import FRAME_SIZE, made_once
from tests.cpp.building import CPP, build_library, require_tools
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import random_frames


@pytest.fixture(scope="module")
def threaded(shared_folder: Path) -> Path:
    """The build folder of the program with the sanitizer of threads, in the library and in the program."""
    require_tools()
    options = ("-DLSOOD_SANITIZE=thread", "-DLSOOD_WERROR=OFF", "-DCMAKE_BUILD_TYPE=", "-DCMAKE_CXX_FLAGS=-O1")
    return made_once(
        shared_folder / "cpp" / "threaded",
        lambda build: build_library(build, *options, "-DLSOOD_BUILD_TESTS=ON", target="threads_test"),
    )


def run(
    build: Path, bundle: Path, frames: NDArray[np.uint8], folder: Path, threads: int, *words: str
) -> tuple[int, str]:
    """Exit code and error output of the program on ``(N, H, W, 3)`` frames; ``threads`` are ONNX Runtime's for a monitor."""
    frames.tofile(folder / "frames.raw")
    place = (bundle, folder / "frames.raw", *frames.shape[1:3], threads)
    command = [str(build / "threads_test"), *map(str, place), *words]
    suppressed = f" suppressions={CPP / 'tests' / 'thread_sanitizer.txt'}" if threads > 1 else ""
    kept = os.environ | {"TSAN_OPTIONS": f"halt_on_error=1{suppressed}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    return done.returncode, done.stderr


def toy_frames() -> NDArray[np.uint8]:
    levels = [frame_of_level(level, seed) for seed, level in enumerate(np.linspace(0.02, 0.98, 12))]
    return np.stack([*levels, *random_frames(4, seed=1), np.zeros_like(levels[0])])


def assert_one_verdict_in_all_threads(build: Path, folder: Path, exported: Path, threads: int) -> None:
    """On a bundle with every answer, and on an exported one, whose frames are worth several threads of ONNX Runtime."""
    toy = folder / "toy"
    toy.mkdir()
    write_answers_bundle(toy, tiles=True, with_map=True, confidence=True)
    assert run(build, toy, toy_frames(), folder, threads) == (0, "")
    source = SyntheticRoads(6, *FRAME_SIZE, seed=9)
    assert run(build, exported, np.stack([source[i][0] for i in range(6)]), folder, threads) == (0, "")


@pytest.mark.parametrize("threads", [1, 2])
def test_monitors_give_one_verdict_in_all_threads(cpp_build: Path, tmp_path: Path, bundle: Path, threads: int) -> None:
    assert_one_verdict_in_all_threads(cpp_build, tmp_path, bundle, threads)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # the first one builds the library, for minutes
@pytest.mark.parametrize("threads", [1, 2])
def test_monitors_in_threads_are_clean(threaded: Path, tmp_path: Path, bundle: Path, threads: int) -> None:
    """With one thread of ONNX Runtime without a suppression; with more, what its own threads hand over is left out."""
    assert_one_verdict_in_all_threads(threaded, tmp_path, bundle, threads)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sanitizer_sees_a_monitor_that_two_threads_use_at_once(threaded: Path, tmp_path: Path) -> None:
    toy = tmp_path / "toy"
    toy.mkdir()
    write_answers_bundle(toy, tiles=True, with_map=True, confidence=True)
    code, words = run(threaded, toy, toy_frames(), tmp_path, 1, "unlocked")
    assert code != 0
    assert "WARNING: ThreadSanitizer: data race" in words

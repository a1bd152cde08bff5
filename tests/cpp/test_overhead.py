# SPDX-License-Identifier: Apache-2.0
"""What the C++ monitor does with a frame beside the runs of ONNX Runtime: no allocation once it is warm."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames
from tests.lsood_runtime.parts_bundle import frame_breaking, write_parts_bundle


@pytest.mark.parametrize("kind", ["answers", "parts"])
def test_warm_monitor_allocates_nothing_beyond_the_runs(cpp_build: Path, tmp_path: Path, kind: str) -> None:
    bundle = tmp_path / "monitor"
    bundle.mkdir()
    if kind == "answers":
        write_answers_bundle(bundle, tiles=True, with_map=True)
    else:
        write_parts_bundle(bundle)
    levels = [frame_of_level(level) for level in np.linspace(0, 1, 15)]
    frames = np.stack([*levels, *random_frames(5, seed=1), frame_breaking("inverse", "root")])
    frames.tofile(tmp_path / "frames.raw")
    words = (cpp_build / "overhead_play", bundle, tmp_path / "frames.raw", HEIGHT, WIDTH, 0)
    done = json.loads(subprocess.run([*map(str, words)], capture_output=True, text=True, check=True).stdout)
    assert done["done"]
    assert done["monitor_allocations"] == done["run_allocations"] > 0

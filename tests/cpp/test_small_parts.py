# SPDX-License-Identifier: Apache-2.0
"""Parts of the C++ library that need no bundle."""

import hashlib
import subprocess
from pathlib import Path

import numpy as np


def test_results_hold_a_value_or_an_error(cpp_build: Path) -> None:
    done = subprocess.run([cpp_build / "result_test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_digests_are_those_of_hashlib(cpp_build: Path) -> None:
    generator = np.random.default_rng(0)
    for length in (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, *generator.integers(0, 5000, 10).tolist()):
        contents = generator.bytes(length)
        pieces = map(str, generator.integers(1, 200, 5).tolist())
        done = subprocess.run([cpp_build / "sha256_play", *pieces], input=contents, capture_output=True, check=True)
        assert done.stdout.decode().strip() == hashlib.sha256(contents).hexdigest(), length

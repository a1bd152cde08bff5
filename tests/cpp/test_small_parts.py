# SPDX-License-Identifier: Apache-2.0
"""Parts of the C++ library that need no bundle."""

import hashlib
import math
import os
import random
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest


def test_parts_keep_their_promises(cpp_build: Path) -> None:
    done = subprocess.run([cpp_build / "parts_test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def german(tmp_path: Path) -> dict[str, str]:
    """An environment with a locale whose decimal mark is a comma."""
    if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("no locale can be made here: install Debian's package locales")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], capture_output=True, check=False
    )
    assert (tmp_path / "de_DE.UTF-8").exists(), made.stderr
    return os.environ | {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}


def test_numbers_are_those_of_python_in_every_locale(cpp_build: Path, german: dict[str, str]) -> None:
    generator = random.Random(0)
    numbers = [struct.unpack("<d", generator.randbytes(8))[0] for _ in range(300)]
    numbers = [*(number for number in numbers if math.isfinite(number)), 0.0, 0.1, 2.5, 1e6, 1e-5, 123456.5, 1234567.5]
    texts = [*map(repr, numbers), *(f"{number:.25e}" for number in numbers[:50])]
    texts += ["1e-400", "-1e-400", "0." + "0" * 400 + "1", "0." + "0" * 400 + "1e405", "1" + "0" * 400 + "e-400"]
    texts += ["4.9e-324", "2.4e-324", "2.5e-324", "1.7976931348623157e308", "0e999", "0.0e99999999999999999999"]
    forms = ["%g", "%.1f", "%.2f", "%.3g", "%.6g", "%.10g", "%.12g"]
    commands = [f"read {text}" for text in texts]
    commands += [f"write {form} {number!r}" for form in forms for number in numbers]
    done = subprocess.run(
        [cpp_build / "number_play"], input="\n".join(commands), capture_output=True, text=True, check=True, env=german
    )
    mark, *lines = done.stdout.splitlines()
    assert mark == ","
    assert [float.fromhex(line.strip('"').replace(",", ".")) for line in lines[: len(texts)]] == list(map(float, texts))
    assert lines[len(texts) :] == [form % number for form in forms for number in numbers]


def test_numbers_without_a_finite_value_are_no_json(cpp_build: Path) -> None:
    texts = ["1e400", "-1e400", "1" + "0" * 400 + "e-1", "0.001e99999999999999999999"]
    commands = "".join(f"read {text}\n" for text in texts)
    done = subprocess.run([cpp_build / "number_play"], input=commands, capture_output=True, text=True, check=True)
    assert all(line.startswith("a number is not finite") for line in done.stdout.splitlines()[1:])


def test_digests_are_those_of_hashlib(cpp_build: Path) -> None:
    generator = np.random.default_rng(0)
    for length in (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, *generator.integers(0, 5000, 10).tolist()):
        contents = generator.bytes(length)
        pieces = map(str, generator.integers(1, 200, 5).tolist())
        done = subprocess.run([cpp_build / "sha256_play", *pieces], input=contents, capture_output=True, check=True)
        assert done.stdout.decode().strip() == hashlib.sha256(contents).hexdigest(), length

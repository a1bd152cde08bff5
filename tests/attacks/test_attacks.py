# SPDX-License-Identifier: Apache-2.0
"""Attacked files: every one ends in an error of our own or loads, within limits of time and memory set from outside.

A process loads one file after the other. It may take 10 seconds for each, and a gigabyte more than before the first one.
"""

import json
import os
import resource
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from export.features.files import save_features
from export.features.frames import Features
from export.features.key import FeatureKey
from tests.attacks.worker import NETWORK
from tests.paths import ROOT

SECONDS, MEMORY = 10, 2**30
ENDS = {"our error", "refused", "loads"}
BUNDLE = ROOT / "tests" / "data" / "bundles" / "schema-5"
FAST = {"graph": 35, "growth": 20, "manifest": 35, "archive": 15, "features": 15}
SLOW = {"graph": 1000, "growth": 200, "manifest": 1000, "archive": 500, "features": 400, "checkpoint": 300}
SLOWEST_START = 300


class Attacked:
    """A process that attacks; it is limited once it is ready."""

    def __init__(self, kind: str, original: Path, scratch: Path, first: int, count: int) -> None:
        words = [kind, original, scratch, first, count]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.worker", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )
        assert self._read(SLOWEST_START) == "ready"
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY + _size(original)
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (limit, limit))
        stdin: IO[str] = self._process.stdin  # type: ignore[assignment]
        stdin.write("go\n")
        stdin.flush()

    def outcomes(self, count: int) -> list[Any]:
        """``[seed, outcome]`` of each attack; where the process ends or takes too long, that is the last one's outcome."""
        found: list[Any] = []
        while len(found) < count:
            line = self._read(SECONDS)
            if line is None:
                found.append(["the next", self._end()])
                break
            found.append(line)
        self._process.kill()
        self._process.communicate()
        return found

    def _read(self, seconds: float) -> Any:
        stdout: IO[str] = self._process.stdout  # type: ignore[assignment]
        ready, _, _ = select.select([stdout], [], [], seconds)
        line = stdout.readline() if ready else ""
        return json.loads(line) if line else None

    def _end(self) -> str:
        code = self._process.poll()
        if code is None:
            return f"takes longer than {SECONDS} s"
        return f"ended with {code}: {self._process.communicate()[1][-300:]}"


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


@pytest.fixture
def features(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    values = {FeatureKey.entropy(): rng.normal(size=(20, 5)).astype(np.float32)}
    names = np.array([f"drive/{i:04d}.png" for i in range(20)])
    save_features(tmp_path / "features.npz", Features(names, rng.normal(size=20), values), NETWORK)
    return tmp_path / "features.npz"


def attack(kind: str, original: Path, scratch: Path, count: int) -> None:
    outcomes = Attacked(kind, original, scratch, 0, count).outcomes(count)
    wrong = [(seed, outcome) for seed, outcome in outcomes if outcome not in ENDS]
    assert wrong == [], f"{len(wrong)} of {len(outcomes)}"
    assert len(outcomes) == count
    counts = Counter(outcome for _, outcome in outcomes)
    assert counts["our error"] + counts["refused"] > count / 2, counts


@pytest.mark.parametrize("kind", ["graph", "growth", "manifest", "archive"])
def test_attacked_bundles_end_in_our_error_or_load(tmp_path: Path, kind: str) -> None:
    attack(kind, BUNDLE, tmp_path, FAST[kind])


def test_attacked_feature_files_end_in_our_error_or_load(tmp_path: Path, features: Path) -> None:
    attack("features", features, tmp_path, FAST["features"])


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["graph", "growth", "manifest", "archive"])
def test_many_attacked_bundles_end_in_our_error_or_load(tmp_path: Path, kind: str) -> None:
    attack(kind, BUNDLE, tmp_path, SLOW[kind])


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_attacked_feature_files_end_in_our_error_or_load(tmp_path: Path, features: Path) -> None:
    attack("features", features, tmp_path, SLOW["features"])


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_attacked_checkpoints_end_in_our_error_or_load(tmp_path: Path, checkpoint: Path) -> None:
    attack("checkpoint", checkpoint, tmp_path, SLOW["checkpoint"])


def test_attacks_are_three_thousand_in_the_slow_suite() -> None:
    assert sum(SLOW.values()) >= 3000
    assert sum(FAST.values()) >= 100

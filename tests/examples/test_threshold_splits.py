# SPDX-License-Identifier: Apache-2.0
"""The example that puts thresholds to the test, on frames that are exchangeable by construction."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from export.features.files import save_features
from export.features.frames import Features
from export.features.key import FeatureKey
from tests.paths import EXAMPLES

EXAMPLE = EXAMPLES / "threshold_splits.py"


def test_threshold_splits_of_exchangeable_frames_keep_the_promised_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"{'ab'[i % 2]}_{i:04d}.png" for i in range(300)])
    entropy = rng.normal(size=(300, 6)).astype(np.float32)
    features = Features(names, np.zeros(300), {FeatureKey.entropy(): entropy})
    save_features(tmp_path / "day.npz", features, "0" * 64)
    command = [sys.executable, str(EXAMPLE), "--features", str(tmp_path / "day.npz"), "--splits", "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if re.match(r"\| (frames|blocks)", line)]
    assert [(row[0].strip(), row[1].strip()) for row in rows] == [
        ("frames", "10%"),
        ("frames", "5%"),
        ("blocks", "10%"),
        ("blocks", "5%"),
    ]
    for row, target in zip(rows, (0.1, 0.05, 0.1, 0.05), strict=True):
        assert abs(float(row[2].split()[0]) - target) < 0.03
        assert float(row[4].strip().rstrip("%")) >= 90

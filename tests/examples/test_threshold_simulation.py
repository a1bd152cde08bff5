# SPDX-License-Identifier: Apache-2.0
"""The example that puts thresholds to the test on simulated drives."""

import subprocess
import sys

from tests.paths import EXAMPLES


def test_threshold_simulation_of_few_repetitions_prints_a_row_a_cell() -> None:
    words = ["--repeats", "2", "--drives", "5", "20", "--effects", "strong"]
    command = [sys.executable, str(EXAMPLES / "threshold_simulation.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert len(rows) == 12
    assert {len(row) for row in rows} == {12}
    assert {row[0] for row in rows} == {"strong"}
    by_drives = {row[2]: (row[4], row[8]) for row in rows if row[1] == "16" and row[3] == "drives, drives"}
    assert by_drives["5"] == ("too few", "too few")
    assert by_drives["20"][0] == "too few"
    assert by_drives["20"][1].endswith("%"), "nineteen drives suffice, where all of them count"
    by_frames = next(row for row in rows if row[1:4] == ["16", "20", "frames, frames"])
    assert 0 < float(by_frames[8].rstrip("%")) < 20

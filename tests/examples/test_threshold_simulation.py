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
    assert len(rows) == 24
    assert {row[0] for row in rows} == {"strong"}
    refused = {(row[2], row[3], row[5]) for row in rows if row[6] == "refused: too few"}
    assert ("5", "drives", "cross-fit") in refused
    assert ("20", "drives", "cross-fit") not in refused, "nineteen drives suffice, when all of them count"
    assert ("20", "drives", "split") in refused
    cross_fit = next(row for row in rows if row[1:6] == ["16", "20", "frames", "frames", "cross-fit"])
    assert 0 < float(cross_fit[6].rstrip("%")) < 20

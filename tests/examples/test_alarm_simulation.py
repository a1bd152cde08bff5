# SPDX-License-Identifier: Apache-2.0
"""Alarms hold what is stated of them in simulated drives: a small form of the table in the documentation."""

import re
import subprocess
import sys

import pytest
from scipy.stats import poisson

from tests.paths import EXAMPLES, FROZEN_BUNDLE

SECONDS = 60.0


@pytest.mark.parametrize("together", ["1", "6"])
def test_alarm_simulation_of_few_drives_holds_delay_and_rate(together: str) -> None:
    words = ["--drives", "42", "--rules", "1/h", "3of5", "duration:0.45", "--together", together]
    command = [
        sys.executable,
        str(EXAMPLES / "alarm_simulation.py"),
        str(FROZEN_BUNDLE),
        *words,
        "--seconds",
        f"{SECONDS}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert len(rows) == 3 * 7
    alarms, most = 0.0, 0.0
    for rule, _, _, drives, stated, realised, delay, longest, late, invalid in rows:
        match = re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", stated)
        assert match
        hours = int(drives) * SECONDS / 3600
        found = float(realised) * hours
        # Drives of one minute: bursts of a single unlucky one are no more than chance.
        assert found <= poisson.ppf(0.9999, float(match[3]) * hours) + 1
        assert (int(late), int(invalid)) == (0, 0)
        assert int(longest) <= int(delay)
        if rule == "3of5":
            alarms, most = alarms + found, most + float(match[3]) * hours
    assert 0 < alarms <= poisson.ppf(0.999, most), "a rule that never speaks would pass as well"

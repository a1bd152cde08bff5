# SPDX-License-Identifier: Apache-2.0
"""Each row of the table of inputs in the documentation holds."""

from pathlib import Path

import numpy as np
import pytest

from tests.lsood_runtime.media.input_cases import InputCase
from tests.lsood_runtime.media.input_table import CASES, input_table


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("case", CASES, ids=[f"{case.section}: {case.given}" for case in CASES])
def test_input_case_when_read_does_what_the_table_says(case: InputCase, seed: int, tmp_path: Path) -> None:
    case.check(tmp_path, np.random.default_rng(seed))


def test_input_table_has_a_row_for_each_case_and_each_section_once() -> None:
    lines = input_table().splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(CASES) + sum(line.startswith("## ") for line in lines)
    titles = [line for line in lines if line.startswith("## ")]
    assert len(titles) == len(set(titles))
    assert len({(case.section, case.given, case.flags) for case in CASES}) == len(CASES)

# SPDX-License-Identifier: Apache-2.0
"""Growth of the process and the memory that is left, against allocations of a known size."""

import sys
import time

import numpy as np
import pytest

from export.bundle.memory import available_memory, measured_growth

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux states the memory of a process")

SIZE = 64 * 2**20


@pytest.mark.parametrize("parts", [1, 2])
def test_measured_growth_is_what_was_held_at_a_time(parts: int) -> None:
    with measured_growth() as growth:
        for _ in range(3):
            held = [np.ones(SIZE // 8) for _ in range(parts)]
            time.sleep(0.05)
            del held
    assert parts * SIZE * 0.9 < growth.size < (parts + 1) * SIZE


def test_available_memory_is_some() -> None:
    left = available_memory()
    assert left is not None
    assert left > 0

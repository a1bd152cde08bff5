# SPDX-License-Identifier: Apache-2.0
"""Growth of the process and the memory that is left, against allocations of a known size."""

import mmap
import sys
import time

import pytest

from export.bundle.memory import available_memory, measured_growth

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux states the memory of a process")

SIZE = 64 * 2**20


def fresh_pages(size: int) -> mmap.mmap:
    """Memory that the process did not have before, every page of it in use; an array may lie in what was freed."""
    pages, chunk = mmap.mmap(-1, size), b"\1" * 2**16
    for _ in range(size // len(chunk)):
        pages.write(chunk)
    return pages


@pytest.mark.parametrize("parts", [1, 2])
def test_measured_growth_is_what_was_held_at_a_time(parts: int) -> None:
    with measured_growth() as growth:
        for _ in range(3):
            held = [fresh_pages(SIZE) for _ in range(parts)]
            time.sleep(0.05)
            for pages in held:
                pages.close()
    assert parts * SIZE * 0.9 < growth.size < (parts + 1) * SIZE


def test_available_memory_is_some() -> None:
    left = available_memory()
    assert left is not None
    assert left > 0

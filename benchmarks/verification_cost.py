# SPDX-License-Identifier: Apache-2.0
"""What share of a load the verification of a bundle takes: loads with and without it, in pairs.

    python benchmarks/verification_cost.py monitor/ --pairs 50

Seconds are those of the processor, which hardly depend on what else runs on the machine. Digests are computed in a thread
beside the check of operators, so that of the time that passes they take less.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lsood_runtime import OoDMonitor
from lsood_runtime._bundle import reader

STEPS = ("check_digest", "check_graph")


@contextmanager
def without(steps: tuple[str, ...]) -> Iterator[None]:
    """Leave steps of the verification out within the block; a monitor for a vehicle never does."""
    kept = {step: getattr(reader, step) for step in steps}
    for step in steps:
        setattr(reader, step, lambda *_: None)
    try:
        yield
    finally:
        for step, function in kept.items():
            setattr(reader, step, function)


def load_seconds(bundle: Path, left_out: tuple[str, ...], *, self_test: bool) -> float:
    """Processor time of one load."""
    with without(left_out):
        start = time.process_time()
        OoDMonitor(bundle, self_test=self_test).close()
        return time.process_time() - start


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pairs", type=int, default=50, help="loads with and without (default: %(default)s)")
    options = parser.parse_args()
    print("| load | milliseconds | digests | operators | both |\n|---|---|---|---|---|")
    for self_test in (True, False):
        left_out = ((), STEPS[:1], STEPS[1:], STEPS)
        load_seconds(options.bundle, (), self_test=self_test)
        times = np.empty((options.pairs, len(left_out)))
        for i in range(options.pairs):
            for j in np.roll(range(len(left_out)), i):
                times[i, j] = load_seconds(options.bundle, left_out[j], self_test=self_test)
        shares = np.median(1 - times[:, 1:] / times[:, :1], axis=0)
        name = "with self-test" if self_test else "without"
        print(
            f"| {name} | {1e3 * np.median(times[:, 0]):.0f} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"
        )


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""How far scikit-learn's KernelDensity at its default leaf size is from the exact sum, in nats.

    python examples/kernel_density_error.py

1,000 standard normal points; asked of 100 fresh ones and of 100 that are shifted by 1.5 along every axis.
"""

import numpy as np
from sklearn.neighbors import KernelDensity

from export.detectors.kernel_density import ExactKernelDensity


def main() -> None:
    """Print the table in Markdown."""
    rng = np.random.default_rng(0)
    print("| D | bandwidth | fresh points | shifted points |\n|---|---|---|---|")
    for dimensions in (8, 16, 58, 256):
        points, fresh = rng.normal(size=(1000, dimensions)), rng.normal(size=(100, dimensions))
        for bandwidth in (1.0, 0.5):
            default = KernelDensity(bandwidth=bandwidth).fit(points)
            exact = ExactKernelDensity(bandwidth).fit(points)
            errors = [
                np.abs(default.score_samples(rows) - exact.score_samples(rows)).max() for rows in (fresh, fresh + 1.5)
            ]
            print(f"| {dimensions} | {bandwidth} | {errors[0]:.2g} | {errors[1]:.2g} |")


if __name__ == "__main__":
    main()

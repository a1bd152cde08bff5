# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``python -m lsood_runtime`` and of the console script ``lsood``."""

import sys

from lsood_runtime._cli.main import run


def main() -> int:
    """Run the command line of this process and return its exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

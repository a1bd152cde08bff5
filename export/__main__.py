# SPDX-License-Identifier: Apache-2.0
"""``python -m export`` and the console script ``lsood-export``."""

import sys

from export.cli import main as _main


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(_main())


if __name__ == "__main__":
    main()

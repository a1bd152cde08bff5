# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``python -m lsood_runtime`` and of the console script ``lsood``."""

import sys

from lsood_runtime._cli.main import run
from lsood_runtime._command_start import let_signals_end_the_process


def main() -> int:
    """Run the command line of this process and return its exit code."""
    code = run(sys.argv[1:])
    let_signals_end_the_process()
    return code


if __name__ == "__main__":
    sys.exit(main())

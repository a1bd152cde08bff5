# SPDX-License-Identifier: Apache-2.0
"""``python -m export`` and the console script ``lsood-export``."""

import importlib
import sys

_COMMANDS = ("calibrate", "evaluate", "search")


def main() -> None:
    """Run the export, or the command that comes first, and leave with its exit code.

    Each is imported when it is called: calibrating again does without torch.
    """
    given = sys.argv[1:]
    command = given[0] if given and given[0] in _COMMANDS else None
    module = importlib.import_module(f"export.commands.{command}" if command else "export.cli")
    sys.exit(module.main(given[1:] if command else given))


if __name__ == "__main__":
    main()

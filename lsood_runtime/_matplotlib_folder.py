# SPDX-License-Identifier: Apache-2.0
"""Keep matplotlib's caches out of the home folder of whoever runs a command."""

import atexit
import os
import sys
import tempfile

_VARIABLE = "MPLCONFIGDIR"


def keep_matplotlib_out_of_home() -> None:
    """Give matplotlib a temporary folder for its list of fonts, which goes with the process; call it before the import.

    Nothing changes where matplotlib is imported already, or where the user has named a folder by ``MPLCONFIGDIR``.
    """
    if "matplotlib" in sys.modules or _VARIABLE in os.environ:
        return
    folder = tempfile.TemporaryDirectory(prefix="lsood_matplotlib.")
    atexit.register(folder.cleanup)
    os.environ[_VARIABLE] = folder.name

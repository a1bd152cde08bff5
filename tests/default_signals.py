# SPDX-License-Identifier: Apache-2.0
"""Commands that tests stop hear the signals also where the tests do not, as behind ``nohup`` and in a script's background."""

import signal


def hear_signals() -> None:
    """Take the signals that stop a command as a terminal's commands do; for ``preexec_fn`` of ``subprocess.Popen``."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)

# SPDX-License-Identifier: Apache-2.0
"""The words that a shell makes of a line."""

import os
import shlex
import subprocess


def shell_words(line: str) -> list[str]:
    """Words of a line in POSIX's quotes by ``shlex``, of one with ``$'...'`` by bash."""
    if "$'" not in line:
        return shlex.split(line)
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    return os.fsdecode(done.stdout).removesuffix("\0").split("\0")

# SPDX-License-Identifier: Apache-2.0
"""Write the names of files as text, whatever bytes they are made of."""


def printable(text: str) -> str:
    r"""Return text that UTF-8 can encode: bytes of a file name that are none are written out, such as ``\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

# SPDX-License-Identifier: Apache-2.0
"""Write text that others chose, such as names of files and topics, so that a terminal shows it and obeys none of it."""


def printable(text: str) -> str:
    r"""Return one line of text that UTF-8 can encode and a terminal prints as it is.

    What Unicode does not count as printable is written out: control characters such as ``\x1b``, with which text clears a
    screen or sets its title, line ends, marks that reverse the direction of writing, and bytes of a file name that are no
    UTF-8, such as ``\udce9``.
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

# SPDX-License-Identifier: Apache-2.0
"""Messages of errors that come from elsewhere."""

import pytest

from lsood_runtime._exceptions import one_line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("  a\n\tb  c\r\n", "a b c"),
        ("output (latent\x7fsamples)", r"output (latent\x7fsamples)"),
        ("\x1b[31mred\x1b[0m \ud800 näher 見", r"\x1b[31mred\x1b[0m \ud800 näher 見"),
        ("", ""),
    ],
)
def test_one_line_of_any_message_is_printable(message: str, line: str) -> None:
    assert one_line(RuntimeError(message)) == line
    assert line.isprintable()

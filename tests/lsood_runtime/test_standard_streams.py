# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed when a process starts."""

import sys

import pytest

from lsood_runtime._standard_streams import open_missing_streams


def test_open_missing_streams_opens_those_that_are_closed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(sys, name, None)
    before = sys.stderr
    open_missing_streams()
    with sys.stdin, sys.stdout:
        assert sys.stdin.read() == ""
        assert sys.stdout.write("nobody reads this") == 17
        assert not sys.stdin.isatty()
    assert sys.stderr is before

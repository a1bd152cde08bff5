# SPDX-License-Identifier: Apache-2.0
"""The count of frames on the terminal."""

import sys

import pytest

from lsood_runtime._cli.frame_counter import FrameCounter


def test_frame_counter_cleared_leaves_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    FrameCounter(shown=True).show(1)
    assert capsys.readouterr().err == "", "stderr is no terminal here"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = FrameCounter(shown=True)
    progress.show(7)
    progress.clear()
    assert capsys.readouterr().err == "\r7 frames scored\r\033[K"
    FrameCounter(shown=False).show(1)
    assert capsys.readouterr().err == ""

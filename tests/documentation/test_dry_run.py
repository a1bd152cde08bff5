# SPDX-License-Identifier: Apache-2.0
"""The output of ``--dry-run`` that a page shows is what the command prints."""

import shlex
import sys
from pathlib import Path

import pytest

from export.cli.export import main
from tests.documentation.pages import Page

PAGE = Page("docs/how-to/your-network.md")


def test_dry_run_of_the_page_on_your_network_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "110")
    blocks = iter(PAGE.blocks)
    for block in blocks:
        if block.language == "text" and "--dry-run" in block.text:
            break
        if block.title is not None:
            Path(block.title).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, "<a page's block>", "exec"), {"__name__": "__main__"})
    (command,), shown = block.commands, next(blocks)
    try:
        assert main(shlex.split(command.removeprefix("python -m export "))) == 2
    finally:
        sys.modules.pop("my_network", None)
    assert (shown.language, shown.text) == ("output", capsys.readouterr().out)

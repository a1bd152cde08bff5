# SPDX-License-Identifier: Apache-2.0
"""The command ``python -m export evaluate``: what it refuses before it scores a frame."""

import sys
from pathlib import Path

import pytest

from export.cli.evaluate import main


def test_evaluate_command_without_the_packages_of_a_report_is_refused_before_the_bundle_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    no_bundle = str(tmp_path / "no-bundle")

    assert main([no_bundle, "--ind", no_bundle, "--report", str(tmp_path / "report")]) == 2
    assert "expected the packages of a report, found no matplotlib" in capsys.readouterr().err
    assert main([no_bundle, "--ind", no_bundle]) == 1
    assert "expected a bundle folder" in capsys.readouterr().err

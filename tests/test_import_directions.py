# SPDX-License-Identifier: Apache-2.0
"""The import directions of ``pyproject.toml`` hold, and the check of them can fail."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.paths import ROOT

CONFIGURATION = ROOT / "pyproject.toml"


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """Enable again what import-linter disables: its configuration of logging turns off every logger that exists."""
    loggers = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [logger.disabled for logger in loggers]
    yield
    for logger, disabled in zip(loggers, before, strict=True):
        logger.disabled = disabled


def test_import_directions_of_both_packages_hold() -> None:
    assert lint_imports(config_filename=str(CONFIGURATION), no_cache=True) == 0


UPSIDE_DOWN = {
    '    "graphs | sampling': '    "sampling',
    '| strict_yaml",\n': '| strict_yaml",\n    "graphs",\n',
}
A_PACKAGE_IN_USE = {'forbidden_modules = ["export",': 'forbidden_modules = ["numpy", "export",'}


@pytest.mark.parametrize("changes", [UPSIDE_DOWN, A_PACKAGE_IN_USE])
def test_import_directions_that_the_code_does_not_follow_are_broken(tmp_path: Path, changes: dict[str, str]) -> None:
    text = CONFIGURATION.read_text()
    for before, after in changes.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    (tmp_path / "pyproject.toml").write_text(text)

    assert lint_imports(config_filename=str(tmp_path / "pyproject.toml"), no_cache=True) == 1

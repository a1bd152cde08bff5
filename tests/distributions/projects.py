# SPDX-License-Identifier: Apache-2.0
"""The two distributions of this repository, and what their ``pyproject.toml`` say."""

import tomllib
from pathlib import Path
from typing import Any

from lsood_runtime import __version__
from tests.paths import ROOT

RUNTIME, EXPORT = "lsood-runtime", "lsood-export"
FOLDERS = {RUNTIME: ROOT, EXPORT: ROOT / "distributions" / "export"}


def configuration(name: str) -> dict[str, Any]:
    """The ``pyproject.toml`` of a distribution."""
    return tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text())


def project(name: str) -> dict[str, Any]:
    """Its table ``[project]``."""
    table: dict[str, Any] = configuration(name)["project"]
    return table


def wheel_name(name: str) -> str:
    """The file name of its wheel at this version."""
    return f"{name.replace('-', '_')}-{__version__}-py3-none-any.whl"


def distribution_at(source: str, base: Path = ROOT) -> str:
    """The distribution that ``pip install SOURCE`` takes: a folder below ``base``, or a wheel in ``dist``."""
    by_wheel = {f"dist/{wheel_name(name)}": name for name in FOLDERS}
    by_folder = {folder: name for name, folder in FOLDERS.items()}
    return by_wheel[source] if source in by_wheel else by_folder[(base / source).resolve()]

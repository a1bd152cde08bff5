# SPDX-License-Identifier: Apache-2.0
"""``--help`` of every command answers without the packages that its work needs."""

import subprocess
import sys

import pytest

HEAVY = {
    "matplotlib",
    "onnx",
    "onnxscript",
    "pandas",
    "pytorch_lightning",
    "rich",
    "scipy",
    "skl2onnx",
    "sklearn",
    "torch",
    "torchmetrics",
}

_MODULES_AFTER_HELP = """
import sys

{first}
from export.__main__ import main

sys.argv = ["export", *{words!r}]
try:
    main()
except SystemExit as left:
    assert left.code == 0, left.code
print("loaded:", *{{name.partition(".")[0] for name in sys.modules}})
"""


def loaded_by_help(words: list[str], first: str = "") -> set[str]:
    """Top-level modules in a fresh process that printed the help, after ``first`` was run in it."""
    code = _MODULES_AFTER_HELP.format(words=words, first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, _, names = done.stdout.rpartition("loaded:")
    assert text.startswith("usage: python -m export")
    return set(names.split())


@pytest.mark.parametrize(
    "command",
    ["", "benchmark", "calibrate", "evaluate", "evidence", "search", "--list-layers"],
    ids=lambda command: command or "export",
)
def test_help_of_a_command_loads_no_heavy_package(command: str) -> None:
    assert loaded_by_help([*command.split(), "--help"]) & HEAVY == set()


def test_loaded_by_help_after_a_heavy_import_names_it() -> None:
    """The check above can fail."""
    assert "scipy" in loaded_by_help(["--help"], first="import scipy")

# SPDX-License-Identifier: Apache-2.0
"""The extras cpu, export and media are enough for every command: what the extra guide alone brings is never imported."""

import subprocess
import sys

GUIDE_ALONE = ("pandas", "matplotlib", "pacmap")
DRAWING = (
    "export.benchmark.chart",
    *(
        f"export.evaluation.{name}"
        for name in ("answer_charts", "plots", "reliability_chart", "report_charts", "svg_chart", "tile_charts")
    ),
    "export.fleet.fleet_charts",
)
"""Beside ``export.guide`` the only modules that need the extra; a report imports them when it is drawn."""

_WITHOUT = f"""
import importlib, pkgutil, sys
from importlib.machinery import PathFinder

class WithoutGuide(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in {GUIDE_ALONE}:
            return None
        return super().find_spec(fullname, path, target)

    @staticmethod
    def find_distributions(*arguments, **options):
        found = PathFinder.find_distributions(*arguments, **options)
        return (distribution for distribution in found if distribution.name not in {GUIDE_ALONE})

sys.meta_path = [WithoutGuide if finder is PathFinder else finder for finder in sys.meta_path]
"""

_IMPORT = f"""
import export, lsood_runtime
for package in (export, lsood_runtime):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=lambda name: None):
        needs_guide = module.name.partition(".guide")[0] == "export" or module.name in {DRAWING}
        if not needs_guide and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""

_HELP = """
from export.__main__ import main
for command in ([], ["benchmark"], ["calibrate"], ["evaluate"], ["evidence"], ["fleet"], ["search"]):
    sys.argv = ["export", *command, "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, command
"""

_NEEDS_GUIDE = """
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(name, error.name.partition(".")[0])
"""


def run_without_guide(script: str, *arguments: str) -> str:
    """What a script prints in a process that finds no package of the extra guide."""
    command = [sys.executable, "-c", f"{_WITHOUT}\n{script}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_core_modules_without_the_guide_extra_are_importable() -> None:
    imported = run_without_guide(_IMPORT).split()
    assert {"export.search.candidates", "export.evaluation.report_page", "lsood_runtime._cli.watch"} <= set(imported)


def test_help_without_the_guide_extra_is_printed() -> None:
    printed = run_without_guide(_HELP)
    for begin in ("--ckpt", "benchmark ", "calibrate ", "evaluate ", "evidence ", "search "):
        assert f"usage: python -m export {begin}" in printed


def test_modules_of_the_guide_without_the_guide_extra_are_not_importable() -> None:
    """The tests above can fail: the packages are hidden indeed, and each exception of theirs needs one."""
    names = (*GUIDE_ALONE, *DRAWING, "export.guide", "export.guide.results")
    missing = dict(line.split() for line in run_without_guide(_NEEDS_GUIDE, *names).splitlines())
    assert set(missing) == set(names)
    assert set(missing.values()) <= set(GUIDE_ALONE)

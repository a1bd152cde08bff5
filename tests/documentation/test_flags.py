# SPDX-License-Identifier: Apache-2.0
"""Every flag that the README or a page mentions is one that the program knows."""

import re
import shlex
from functools import cache

import pytest

from mkdocs_hooks.command_line import COMMANDS, flags_of, parser_of
from tests.documentation.pages import PAGES, Page
from tests.paths import EXAMPLES, ROOT

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_OTHER_PROGRAMS = {
    "cmake": {"--build", "--install", "--parallel", "--prefix"},
    "colcon": {"--cmake-args", "--packages-up-to"},
    "pip": {"--constraint", "--no-deps", "--wheel-dir"},
    "ros": {"--ros-args"},
    "rosdep": {"--from-paths", "--ignore-src", "--skip-keys"},
    "tritonserver": {"--model-repository"},
}


@cache
def flags_of_command(command: tuple[str, ...]) -> frozenset[str]:
    return frozenset(flags_of(parser_of(command)))


def flags_in_source(path: str) -> frozenset[str]:
    """Flags that a script adds to a parser, or a suite to pytest's, read from its source and the modules beside it."""
    source = (ROOT / path).read_text()
    flags = set(re.findall(r'add(?:_argument|option)\(\s*"(--[a-z-]+)"', source))
    for module in re.findall(r"^from (\w+) import", source, flags=re.MULTILINE):
        beside = (ROOT / path).with_name(f"{module}.py")
        if beside.is_file():
            flags |= flags_in_source(beside.relative_to(ROOT).as_posix())
    return frozenset(flags)


def flags_of_pytest(config: pytest.Config) -> frozenset[str]:
    options = [
        *config._parser._anonymous.options,
        *(option for group in config._parser._groups for option in group.options),
    ]
    return frozenset(name for option in options for name in option.names())


def known_flags(command: str, config: pytest.Config) -> frozenset[str]:
    """The flags of the program that a command line calls."""
    words = shlex.split(command)
    if words[0] == "lsood":
        words = ["python", "-m", "lsood_runtime", *words[1:]]
    match words:
        case ["python", "-m", "export" | "lsood_runtime" as package, *rest]:
            name = (package, rest[0]) if rest and (package, rest[0]) in COMMANDS else (package,)
            return flags_of_command(name)
        case ["python", "-m", "benchmarks.report", *_]:
            return flags_in_source("benchmarks/report.py")
        case ["python", "-m", "benchmarks.gpu_pack", *_]:
            return flags_in_source("benchmarks/gpu_pack.py")
        case ["python", "run.py", *_]:
            return flags_in_source("benchmarks/gpu_pack_run.py")
        case ["python", script, *_] if script.startswith("examples/"):
            return flags_in_source(script) | _OTHER_PROGRAMS["ros"]
        case ["pytest", *_] | ["make", "bench", *_]:
            return flags_of_pytest(config) | flags_in_source("benchmarks/conftest.py")
        case [program, *_] if program in _OTHER_PROGRAMS:
            return frozenset(_OTHER_PROGRAMS[program])
        case _:
            return frozenset()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_flags_of_a_command_on_a_page_are_known_to_it(page: Page, pytestconfig: pytest.Config) -> None:
    commands = [command for block in page.blocks if block.language in ("bash", "text") for command in block.commands]
    spans = [span for span in page.code_spans if re.match(r"(python -m|python examples/|lsood|make|pytest) ?", span)]
    for command in [*commands, *spans]:
        if _FLAG.search(command):
            unknown = set(_FLAG.findall(command)) - known_flags(command, pytestconfig)
            assert not unknown, f"{command}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_flags_that_a_page_mentions_are_known_to_a_program(page: Page, pytestconfig: pytest.Config) -> None:
    known = set().union(*map(flags_of_command, COMMANDS), *_OTHER_PROGRAMS.values(), flags_of_pytest(pytestconfig))
    scripts = ("conftest", "report", "gpu_pack", "gpu_pack_run")
    known |= set().union(*(flags_in_source(f"benchmarks/{script}.py") for script in scripts))
    known |= set().union(*(flags_in_source(f"examples/{script.name}") for script in EXAMPLES.glob("*.py")))
    mentioned = {flag for text in (page.prose, *(block.text for block in page.blocks)) for flag in _FLAG.findall(text)}
    assert mentioned <= known, mentioned - known


def test_flags_of_an_unknown_program_are_not_known(pytestconfig: pytest.Config) -> None:
    assert known_flags("python -m export calibrate monitor/ --frames a", pytestconfig) >= {
        "--frames",
        "--save-features",
    }
    assert "--save-features" not in known_flags("python -m export --frames a", pytestconfig)
    assert known_flags("rm --recursive", pytestconfig) == frozenset()

# SPDX-License-Identifier: Apache-2.0
"""The steps of ``make docs`` that are this project's own."""

import argparse
import re
from collections.abc import Callable

import pytest
from mkdocs.exceptions import PluginError
from pymdownx.superfences import SuperFencesException

from export.datasets.tables import dataset_table, layout_table
from export.detectors.registry import detector_table
from export.pipeline.capabilities import capability_table
from mkdocs_hooks.code_tables import on_page_markdown
from mkdocs_hooks.command_line import COMMANDS, command_line_page, flags_of, parser_of
from mkdocs_hooks.diagrams import mermaid_as_svg
from mkdocs_hooks.docstrings import without_roles
from mkdocs_hooks.site_checks import PUBLIC_PACKAGES, fetched_by, public_names
from tests.documentation.pages import Page
from tests.lsood_runtime.media.input_table import input_table


def test_command_line_page_has_every_flag_of_every_command() -> None:
    page = command_line_page()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert len(sections) == len(COMMANDS)
    for command, section in zip(COMMANDS, sections, strict=True):
        for option in flags_of(parser_of(command)):
            assert re.search(rf"^\| `[^`]*{re.escape(option)}\b", section, flags=re.MULTILINE), (command, option)


def test_command_line_page_lists_every_command_of_the_programs() -> None:
    runtime = parser_of(("lsood_runtime",))
    (choices,) = [action.choices for action in runtime._actions if isinstance(action, argparse._SubParsersAction)]
    assert choices is not None
    offline = re.findall(r"^  python -m export (\w+) ", parser_of(("export",)).epilog or "", flags=re.MULTILINE)
    expected: set[tuple[str, ...]] = {("export",), ("lsood_runtime",)}
    expected |= {("lsood_runtime", str(name)) for name in choices}
    expected |= {("export", name) for name in offline}
    assert set(COMMANDS) == expected


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<img alt="x" src="//example.org/a.png">',
    ],
)
def test_fetched_by_an_element_from_another_host_finds_it(element: str) -> None:
    assert len(fetched_by(f"<p>text</p>{element}")) == 1


def test_fetched_by_own_files_and_links_finds_nothing() -> None:
    own = '<script src="assets/a.js"></script><a href="https://example.org">elsewhere</a><link rel="icon" href="a.png">'
    assert fetched_by(own) == []


def test_public_names_of_each_package_are_those_it_exports() -> None:
    for package in PUBLIC_PACKAGES:
        module = __import__(package, fromlist=["__all__"])
        assert public_names(package) == [f"{package}.{name}" for name in module.__all__ if not name.startswith("__")]


def test_public_names_of_a_package_without_all_are_refused() -> None:
    with pytest.raises(PluginError, match="expected __all__ in mkdocs_hooks"):
        public_names("mkdocs_hooks")


def test_mermaid_as_svg_of_a_broken_diagram_ends_the_build() -> None:
    with pytest.raises(SuperFencesException, match="expected a Mermaid diagram"):
        mermaid_as_svg("flowchart LR\n a --> [b", "mermaid", "diagram", {}, None)


def test_mermaid_as_svg_of_two_diagrams_keeps_their_styles_apart() -> None:
    first, second = (mermaid_as_svg(f"flowchart LR\n a --> {node}", "mermaid", "diagram", {}, None) for node in "bc")
    assert set(re.findall(r'<svg id="([^"]+)"', first)).isdisjoint(re.findall(r'<svg id="([^"]+)"', second))


@pytest.mark.parametrize(
    ("name", "mark", "table"),
    [
        ("docs/reference/capabilities.md", "<!-- capability table -->", capability_table),
        ("docs/concepts/detectors.md", "<!-- detector table -->", detector_table),
        ("docs/reference/datasets.md", "<!-- dataset layouts -->", layout_table),
        ("docs/reference/datasets.md", "<!-- dataset table -->", dataset_table),
        ("docs/reference/inputs.md", "<!-- input table -->", input_table),
    ],
)
def test_page_with_a_mark_when_built_has_its_table(name: str, mark: str, table: Callable[[], str]) -> None:
    page = Page(name).text
    assert page.count(mark) == 1
    assert table() in on_page_markdown(page, page=None, config=None, files=None)


def test_without_roles_of_a_docstring_keeps_the_names() -> None:
    assert without_roles("See :meth:`score` and :class:`~a.B`, ``x``.") == "See `score` and `a.B`, ``x``."

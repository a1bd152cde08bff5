# SPDX-License-Identifier: Apache-2.0
"""Links, anchors, paths and names in the README and the pages lead somewhere."""

import pkgutil
import re
from functools import cache
from pathlib import Path

import markdown
import pytest

from mkdocs_hooks import command_line
from tests.documentation.pages import PAGES, README, Page
from tests.paths import ROOT

GENERATED = {ROOT / "docs" / command_line.PAGE: command_line.command_line_page}
_EXTENSIONS = ["attr_list", "fenced_code", "md_in_html", "tables", "toc"]
_PLACES = ("benchmarks", "cpp", "docs", "examples", "export", "lsood_runtime", "mkdocs_hooks", "ros2", "tests")


@cache
def anchors(file: Path) -> set[str]:
    text = GENERATED[file]() if file in GENERATED else Page(str(file.relative_to(ROOT))).text
    return set(re.findall(r'id="([^"]+)"', markdown.markdown(text, extensions=_EXTENSIONS)))


def test_readme_length_is_within_its_limit() -> None:
    assert len(README.text.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_of_a_page_resolve(page: Page) -> None:
    for link in page.links:
        path, _, anchor = link.partition("#")
        target = (page.file.parent / path).resolve() if path else page.file
        assert target.is_file() or target in GENERATED, link
        if anchor:
            assert anchor in anchors(target), link


def test_links_of_the_readme_reach_the_main_pages() -> None:
    expected = {
        "docs/architecture.md",
        "docs/faq.md",
        "docs/getting-started.md",
        "docs/results/index.md",
        "docs/troubleshooting.md",
    }
    assert expected <= set(README.links)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_paths_that_a_page_names_exist(page: Page) -> None:
    for span in page.code_spans:
        if re.fullmatch(rf"({'|'.join(_PLACES)})/[\w./-]+", span):
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_python_names_that_a_page_mentions_exist(page: Page) -> None:
    for span in page.code_spans:
        name = re.fullmatch(r"(?:import )?((?:export|lsood_runtime)(?:\.\w+)+)(?:\(.*\))?", span)
        if name is not None:
            pkgutil.resolve_name(name[1])

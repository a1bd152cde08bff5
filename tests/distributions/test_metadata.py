# SPDX-License-Identifier: Apache-2.0
"""What both ``pyproject.toml``, the constraints and the texts say of the distributions agrees."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from lsood_runtime import __version__
from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME, configuration, project
from tests.paths import ROOT

PINNED = {
    requirement.name.lower(): str(requirement.specifier).removeprefix("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
    for requirement in [Requirement(line)]
}
TEXTS = [
    path
    for folder in ("docs", "examples", "export", "lsood_runtime", "mkdocs_hooks", "benchmarks", "distributions", "")
    for path in (ROOT / folder).glob("**/*" if folder else "*")
    if path.suffix in (".md", ".py", ".toml", ".html") or path.name == "Makefile"
]

BY_NAME = re.compile(r"pip3? (?:install|download|wheel)\b[^\n`]*?[\s'\"](lsood[-_](?:runtime|export))(?![\w.-])")


def requirements(name: str) -> list[Requirement]:
    """What a distribution asks for, with all its extras, and what the development groups ask for."""
    table = project(name)
    extras = [entry for entries in table["optional-dependencies"].values() for entry in entries]
    groups = configuration(name).get("dependency-groups", {})
    grouped = [entry for entries in groups.values() for entry in entries if isinstance(entry, str)]
    return [Requirement(entry) for entry in [*table["dependencies"], *extras, *grouped]]


def test_export_has_the_version_of_the_runtime_and_asks_for_it_alone() -> None:
    assert project(EXPORT)["version"] == __version__
    (runtime,) = (entry for entry in requirements(EXPORT) if entry.name == RUNTIME)
    assert str(runtime.specifier) == f"=={__version__}"


@pytest.mark.parametrize("key", ["requires-python", "license", "license-files", "classifiers", "authors"])
def test_both_distributions_say_the_same(key: str) -> None:
    assert project(RUNTIME)[key] == project(EXPORT)[key]


def test_both_distributions_ship_the_same_licence() -> None:
    assert (FOLDERS[RUNTIME] / "LICENSE").read_bytes() == (FOLDERS[EXPORT] / "LICENSE").read_bytes()


def test_citation_and_changelog_begin_with_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (__version__, project(RUNTIME)["license"])
    assert citation["authors"] == project(RUNTIME)["authors"]
    first, *_ = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert re.fullmatch(rf"{re.escape(__version__)} \((unreleased|20\d\d-\d\d-\d\d)\)", first)


def test_public_address_is_the_same_everywhere_or_nowhere() -> None:
    """While the repository has none, none is stated; `docs/releasing.md` says where it is filled in."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    site = re.search(r"^repo_url: *(\S+)", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    addresses = [project(name).get("urls", {}).get("Repository") for name in FOLDERS]
    assert {*addresses, citation.get("repository-code"), site and site[1]} == {addresses[0]}
    assert project(RUNTIME).get("urls") == project(EXPORT).get("urls")


def test_each_distribution_has_one_command_of_its_own() -> None:
    assert {name: list(project(name)["scripts"]) for name in FOLDERS} == {RUNTIME: ["lsood"], EXPORT: [EXPORT]}


@pytest.mark.parametrize("name", FOLDERS)
def test_requirements_allow_the_versions_that_the_tests_ran_with(name: str) -> None:
    for requirement in requirements(name):
        pinned = PINNED.get(requirement.name.lower())
        assert pinned is None or requirement.specifier.contains(Version(pinned)), requirement


@pytest.mark.parametrize("name", FOLDERS)
def test_requirements_for_users_and_tests_are_pinned_by_the_constraints(name: str) -> None:
    large = {"onnxruntime-gpu", "rerun-sdk"}  # not installed for the tests
    unpinned = {entry.name.lower() for entry in requirements(name)} - set(PINNED) - large - set(FOLDERS)
    assert unpinned == set()


def test_requirements_that_both_distributions_state_begin_at_one_version() -> None:
    """But for numpy, of which the offline stage calls what version 2 brought."""
    floors = {entry.name: str(entry.specifier) for entry in requirements(RUNTIME)}
    shared = [entry for entry in requirements(EXPORT) if entry.name in floors and entry.name not in (RUNTIME, "numpy")]
    assert len(shared) >= 3
    assert {entry.name: str(entry.specifier) for entry in shared} == {
        entry.name: floors[entry.name] for entry in shared
    }


def test_editable_export_imports_the_package_where_it_is_edited() -> None:
    assert (FOLDERS[EXPORT] / "export" / "__init__.py").read_text() == (ROOT / "export" / "__init__.py").read_text()
    (folder,) = configuration(EXPORT)["tool"]["hatch"]["build"]["dev-mode-dirs"]
    assert (FOLDERS[EXPORT] / folder).resolve() == ROOT


def test_no_text_installs_from_an_index_what_is_not_published_there() -> None:
    """Somebody else could publish these names; a wheel or a folder is named in their place."""
    assert len(TEXTS) > 500
    found = {str(path.relative_to(ROOT)): match[0] for path in TEXTS for match in BY_NAME.finditer(path.read_text())}
    assert found == {}


@pytest.mark.parametrize("text", ["pip install lsood-runtime", "pip install --upgrade 'lsood-export[guide]'"])
def test_search_for_unpublished_names_finds_them(text: str) -> None:
    assert BY_NAME.search(text)
    assert not BY_NAME.search("pip install 'lsood_runtime-0.2.0-py3-none-any.whl[cpu]' ./distributions/export")


def test_groups_include_each_other_so_that_dev_is_all() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    included = {entry["include-group"] for entry in groups["dev"] if isinstance(entry, dict)}
    assert included == set(groups) - {"dev"}

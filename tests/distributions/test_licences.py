# SPDX-License-Identifier: Apache-2.0
"""No copyleft in what distributions, extras and development groups install, beside what the page of licences names."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME, configuration, project
from tests.paths import ROOT

COPYLEFT = re.compile(
    r"\b[AL]?GPL|General Public|\bEUPL|\bCDDL|\bEPL\b|\bSSPL|\bOSL\b|CC-BY-SA|\bMPL|Mozilla Public", re.IGNORECASE
)
FILE_LEVEL = {"certifi", "hypothesis", "pathspec", "tqdm"}
"""Packages under MPL-2.0."""

GPL_LIBRARIES = ("libx264", "libx265", "libpostproc", "libreadline", "libfftw3")
LGPL_LIBRARIES = (
    "libavcodec",
    "libgnutls",
    "libgmp",
    "libnettle",
    "libmp3lame",
    "libunistring",
    "libasound",
    "libsndfile",
)
GCC_LIBRARIES = ("libgfortran", "libgomp", "libquadmath", "libstdc++")

NOT_INSTALLED = {"onnxruntime-gpu", "rerun-sdk"}
"""Too large for the tests' environment; the page says what they are under."""

Wanted = dict[str, list[str]]


def asked_for() -> Wanted:
    """Requirements by the one who asks: a distribution, ``distribution[extra]`` or a development group."""
    found: Wanted = {}
    for name in FOLDERS:
        found[name] = project(name)["dependencies"]
        found |= {f"{name}[{extra}]": entries for extra, entries in project(name)["optional-dependencies"].items()}
    for group, entries in configuration(RUNTIME)["dependency-groups"].items():
        found[f"group {group}"] = [entry for entry in entries if isinstance(entry, str)]
    return found


def brought(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Installed distributions that requirements bring, and those that these ask for in turn, by name."""
    found: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in {"", *requirement.extras}:
            if (name, wanted) in done:
                continue
            done.add((name, wanted))
            if name in FOLDERS:  # what the repository says, not what was installed once
                own = project(name)
                texts = own["optional-dependencies"][wanted] if wanted else own["dependencies"]
                waiting += [(Requirement(text), "") for text in texts]
            elif name not in NOT_INSTALLED:
                found[name] = distribution(name)
                waiting += [(Requirement(text), wanted) for text in found[name].requires or []]
    return found


def licence(package: Distribution) -> str:
    """What its metadata says: the expression, or else the licence's name and the classifiers."""
    said = package.metadata
    if "License-Expression" in said:
        return str(said["License-Expression"])
    classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith("License ::")]
    (words, *_) = (said.get_all("License") or [""])[0].split("\n")
    return "; ".join([words[:80], *classifiers])


@cache
def shared_libraries(name: str) -> set[str]:
    return {
        path.name
        for path in distribution(name).files or []
        if ".so" in path.suffixes or path.suffix in (".dylib", ".dll")
    }


def holders(prefixes: tuple[str, ...], packages: Iterable[str]) -> set[str]:
    """Packages that ship a shared library whose name begins with one of the prefixes."""
    return {name for name in packages if any(library.startswith(prefixes) for library in shared_libraries(name))}


@pytest.mark.parametrize("who", asked_for())
def test_no_package_that_is_brought_has_a_copyleft_licence(who: str) -> None:
    licences = {name: licence(package) for name, package in brought(asked_for()[who]).items()}
    assert all(re.search(r"\w", text) for text in licences.values()), licences
    assert {name for name, text in licences.items() if COPYLEFT.search(text)} <= FILE_LEVEL


def test_no_extra_but_that_for_videos_brings_a_library_under_gpl() -> None:
    found = {who: holders(GPL_LIBRARIES, brought(requirements)) for who, requirements in asked_for().items()}
    assert {who: names for who, names in found.items() if names} == {f"{RUNTIME}[video]": {"av"}}


def test_libraries_under_lgpl_are_those_that_the_page_names() -> None:
    found = {who: holders(LGPL_LIBRARIES, brought(requirements)) for who, requirements in asked_for().items()}
    media = {f"{RUNTIME}[media]", f"{RUNTIME}[replay]", EXPORT}
    assert {who for who, names in found.items() if names} == {*media, f"{RUNTIME}[video]"}
    assert set().union(*(found[who] for who in media)) == {"opencv-python-headless"}


def test_page_of_licences_names_every_package_that_is_asked_for() -> None:
    text = (ROOT / "docs" / "reference" / "licences.md").read_text()
    rows = {}
    for row in re.findall(r"^\| (?:its extra )?`([\w-]+)` \| ([^|]+) \|", text, flags=re.MULTILINE):
        rows[row[0]] = set(row[1].strip().split(", "))
    for who, requirements in asked_for().items():
        if not who.startswith("group "):
            key = who.partition("[")[2].removesuffix("]") or who
            names = {Requirement(entry).name for entry in requirements} - set(FOLDERS)
            assert rows[key] == names - (_named_before(rows, key) if who == EXPORT else set()), who
    listed = set().union(*(brought(requirements) for requirements in asked_for().values()))
    assert {name for name in FILE_LEVEL if name in text} == FILE_LEVEL & listed


def _named_before(rows: dict[str, set[str]], key: str) -> set[str]:
    """Packages that the rows above name already, as those of the runtime and of images."""
    return rows[RUNTIME] | rows["media"]


def test_libraries_of_gcc_are_in_packages_that_the_page_names() -> None:
    text = (ROOT / "docs" / "reference" / "licences.md").read_text().split("With an exception")[1].split("- **MPL")[0]
    for_users = (requirements for who, requirements in asked_for().items() if not who.startswith("group "))
    for name in set().union(*(holders(GCC_LIBRARIES, brought(requirements)) for requirements in for_users)) - {"av"}:
        assert name in text or name.startswith("opencv"), name


def test_walk_of_requirements_finds_a_copyleft_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: a package under GPL that another asks for is found."""
    for name, lines in {
        "outer": ["License-Expression: MIT", "Requires-Dist: inner"],
        "inner": ["License: GPLv3"],
    }.items():
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        folder.joinpath("METADATA").write_text(
            "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines])
        )
    monkeypatch.syspath_prepend(tmp_path)
    found = brought(["outer>=1"])
    assert {name for name, package in found.items() if COPYLEFT.search(licence(package))} == {"inner"}


def test_walk_of_requirements_refuses_a_package_that_is_not_installed() -> None:
    with pytest.raises(PackageNotFoundError):
        brought(["no-such-package-here"])

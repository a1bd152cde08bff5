# SPDX-License-Identifier: Apache-2.0
"""The lock file is one that the ecosystem reads, and agrees with the constraints and with what both distributions ask for."""

import tomllib

import pytest
from packaging.pylock import Package, Pylock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.distributions.lock import FILES, INDEX, LOCK, locked_requirements
from tests.paths import ROOT

Locked = dict[str, list[Package]]


@pytest.fixture(scope="module")
def locked() -> Locked:
    """Packages of the lock file by name; several where machines need different versions."""
    found: Locked = {}
    for package in Pylock.from_dict(tomllib.loads(LOCK.read_text())).packages:
        found.setdefault(package.name, []).append(package)
    return found


def pins() -> dict[str, Version]:
    entries = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"]
    return {canonicalize_name(each.name): Version(str(each.specifier).removeprefix("==")) for each in entries}


def test_everything_that_is_asked_for_is_locked_in_a_version_that_is_allowed(
    locked: Locked,
) -> None:
    """Where it is not: ``python -m tests.distributions.lock``."""
    for requirement in locked_requirements():
        versions = [str(package.version) for package in locked.get(canonicalize_name(requirement.name), [])]
        assert versions, requirement
        assert all(requirement.specifier.contains(version) for version in versions), (requirement, versions)


def test_versions_are_those_of_the_constraints(locked: Locked) -> None:
    pinned = pins()
    different = {
        name: str(package.version)
        for name, packages in locked.items()
        for package in packages
        if name in pinned and package.version != pinned[name]
    }
    assert different == {}
    assert pinned.keys() - locked.keys() == set()


def test_every_file_is_of_the_public_index_and_has_its_digest(locked: Locked) -> None:
    packages = [package for each in locked.values() for package in each]
    files = [file for each in packages for file in [*(each.wheels or ()), each.sdist] if file is not None]
    assert len(files) > len(packages)
    assert all((file.url or "").startswith(FILES) for file in files)
    assert all(len(file.hashes["sha256"]) == 64 for file in files)
    assert {package.index for package in packages} <= {INDEX, None}
    assert all(package.wheels or package.sdist for package in packages)

# SPDX-License-Identifier: Apache-2.0
"""What wheels and source archives hold; two builds of one tree are the same bytes, and the archive is a whole repository."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from lsood_runtime import __version__
from tests.distributions.conftest import Builds, build_both
from tests.distributions.materials import bill_path
from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME

pytestmark = pytest.mark.slow
_MEGABYTE = 1_000_000


def names(wheel: Path) -> set[str]:
    """Paths in a wheel, beside those of its own metadata."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def digests(builds: Builds) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(builds.folder.iterdir())}


@pytest.fixture(scope="module")
def unpacked(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the source archive of the runtime."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(builds.archive(RUNTIME)) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


def test_wheel_of_the_runtime_holds_its_package_alone_under_a_megabyte(builds: Builds) -> None:
    found = names(builds.runtime)
    assert {name.split("/")[0] for name in found} == {"lsood_runtime"}
    assert found == tracked("lsood_runtime")
    assert builds.runtime.stat().st_size < _MEGABYTE


def test_wheel_of_the_export_holds_its_package_alone(builds: Builds) -> None:
    found = names(builds.export)
    assert {name.split("/")[0] for name in found} == {"export"}
    assert found == tracked("export")


def tracked(package: str) -> set[str]:
    """Every file of a package, as it lies here."""
    files = {path for path in (FOLDERS[RUNTIME] / package).rglob("*") if path.is_file()}
    return {str(path.relative_to(FOLDERS[RUNTIME])) for path in files if "__pycache__" not in path.parts}


@pytest.mark.parametrize("name", FOLDERS)
def test_metadata_of_a_wheel_has_version_licence_and_bill_of_materials(builds: Builds, name: str) -> None:
    wheel = builds.runtime if name == RUNTIME else builds.export
    inside = f"{name.replace('-', '_')}-{__version__}.dist-info"
    with ZipFile(wheel) as archive:
        metadata = archive.read(f"{inside}/METADATA").decode()
        assert archive.read(f"{inside}/licenses/LICENSE") == (FOLDERS[RUNTIME] / "LICENSE").read_bytes()
        assert archive.read(f"{inside}/sboms/{name}.cdx.json") == bill_path(name).read_bytes()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert (f"\nRequires-Dist: {RUNTIME}=={__version__}\n" in metadata) == (name == EXPORT)


def test_two_builds_in_different_places_are_the_same_bytes(builds: Builds, unpacked: Path, tmp_path: Path) -> None:
    for path in unpacked.rglob("*"):
        os.utime(path)
    again = build_both(unpacked, tmp_path / "dist")
    assert len(digests(again)) == 4
    assert digests(again) == digests(builds)


def test_source_archive_of_the_runtime_is_the_repository(builds: Builds) -> None:
    done = subprocess.run(["git", "ls-files"], cwd=FOLDERS[RUNTIME], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this tree is no git repository")
    expected = set(done.stdout.splitlines()) - {"distributions/export/export"}
    expected |= {f"distributions/export/{name}" for name in tracked("export")} | {"PKG-INFO"}
    with tarfile.open(builds.archive(RUNTIME)) as archive:
        found = [name.partition("/")[2] for name in archive.getnames()]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_source_archive_has_no_link_and_no_file_of_a_build(builds: Builds) -> None:
    for name in FOLDERS:
        with tarfile.open(builds.archive(name)) as archive:
            members = archive.getmembers()
        assert all(member.isfile() and not member.linkname for member in members)
        assert not [
            member.name for member in members if re.search(r"__pycache__|\.egg-info|/\.venv/|\.git/", member.name)
        ]


def test_tests_of_the_source_archive_run_from_it(unpacked: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(unpacked), "OMP_NUM_THREADS": "1"}
    tests = [
        "tests/lsood_runtime/test_monitor.py",
        "tests/export/detectors",
        "tests/distributions",
        "tests/documentation",
    ]
    options = ["-q", "-m", "not slow", "-p", "no:cacheprovider", "--ignore", "tests/documentation/test_code_blocks.py"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=unpacked)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b[1-9]\d+ passed", done.stdout)

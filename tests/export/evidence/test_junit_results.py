# SPDX-License-Identifier: Apache-2.0
"""Results of tests are read as pytest itself writes them."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from _pytest.junitxml import xml_key

from export.errors import UsageError
from export.evidence.junit_results import COMMIT_PROPERTY, VERSION_PROPERTY, read_junit
from export.evidence.source_commit import source_commit
from lsood_runtime import __version__
from tests.paths import ROOT
from tests.results_version import record_version

SUITE = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.parametrize("x", [0, 1, 2])
def test_fails_once(x): assert x != 1
@pytest.mark.parametrize("x", ["a::b", "c[d]"])
def test_passes_each_time(x): pass
@pytest.mark.parametrize("x", [0, 1])
def test_is_skipped_once(x):
    if x: pytest.skip("no")
@pytest.fixture
def broken(): raise ValueError
def test_cannot_begin(broken): pass
class TestGroup:
    def test_passes_within(self): pass
"""
EXPECTED = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_skipped": "not run",
    "test_fails_once": "failed",
    "test_passes_each_time": "passed",
    "test_is_skipped_once": "not run",
    "test_cannot_begin": "failed",
    "TestGroup::test_passes_within": "passed",
    "test_is_not_there": "not run",
    "test_passes_within": "not run",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that pytest writes for the suite, run from its folder and from the one above."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "above" / "inner").mkdir(parents=True)
    (folder / "above" / "inner" / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "--junitxml"]
    words = [*command, str(folder / "results.xml"), "-c", "/dev/null", "above/inner"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    return folder / "results.xml"


@pytest.mark.parametrize("path", ["above/inner/test_suite.py", "inner/test_suite.py"])
def test_outcomes_of_a_suite_are_those_that_pytest_wrote(results: Path, path: str) -> None:
    read = read_junit(results)
    assert {name: read.outcome(f"{path}::{name}") for name in EXPECTED} == EXPECTED
    assert read.contents == results.read_bytes()


def test_outcome_of_a_test_of_another_file_with_an_alike_name_is_not_taken(results: Path) -> None:
    assert read_junit(results).outcome("ner/test_suite.py::test_passes") == "not run"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<testsuites><testsuite/></testsuites>", "found no test"),
        ("<testsuites>", "cannot read"),
        ("", "cannot read"),
        ("not xml", "cannot read"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "declares a document type"),
    ],
)
def test_file_that_is_no_results_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(text)
    with pytest.raises(UsageError, match=message) as refused:
        read_junit(tmp_path / "r.xml")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("expected results")


def test_version_and_commit_are_recorded_where_results_are_asked_for() -> None:
    recorded: list[tuple[str, str]] = []
    results = SimpleNamespace(add_global_property=lambda *each: recorded.append(each))
    record_version(cast(pytest.Config, SimpleNamespace(stash={xml_key: results})))
    commit = source_commit()
    assert recorded == [(VERSION_PROPERTY, __version__), *([] if commit is None else [(COMMIT_PROPERTY, commit)])]
    record_version(cast(pytest.Config, SimpleNamespace(stash={})))
    assert len(recorded) in (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_results_of_this_projects_tests_name_its_version_and_commit(tmp_path: Path, workers: list[str]) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers]
    suite = ["tests/lsood_runtime/text/test_counted.py", "--junitxml", str(tmp_path / "r.xml")]
    done = subprocess.run([*words, *suite], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    read = read_junit(tmp_path / "r.xml")
    assert read.version == __version__
    assert read.commit == source_commit()
    git = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert read.commit is None or read.commit.removesuffix(", changed") == git.stdout.strip()


def test_results_of_two_versions_are_refused_and_of_none_are_read(tmp_path: Path) -> None:
    suites = [
        f'<testsuite><properties><property name="{VERSION_PROPERTY}" value="{version}"/></properties>'
        '<testcase name="a"/></testsuite>'
        for version in ("1.0", "1.0", "1.1")
    ]
    plain = '<testsuite><testcase name="a"/></testsuite>'
    for given, expected in ((suites[:2], "1.0"), ([plain, plain], None), ([suites[0], "<testsuite/>"], "1.0")):
        (tmp_path / "r.xml").write_text(f"<testsuites>{''.join(given)}</testsuites>")
        assert read_junit(tmp_path / "r.xml").version == expected
    for given, told in ((suites, "1.0, 1.1"), ([*suites[:1], plain], "1.0, none")):
        (tmp_path / "r.xml").write_text(f"<testsuites>{''.join(given)}</testsuites>")
        with pytest.raises(UsageError, match=f"expected results of one lsood.version, got {told} in"):
            read_junit(tmp_path / "r.xml")


def test_missing_file_of_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read_junit(tmp_path / "r.xml")

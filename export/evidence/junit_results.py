# SPDX-License-Identifier: Apache-2.0
"""Read how tests ended from the XML file that ``pytest --junitxml`` writes."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from export.errors import UsageError
from export.evidence.claims import TestOutcome
from lsood_runtime.offline import one_line, read_plain, reason_of

VERSION_PROPERTY, COMMIT_PROPERTY = "lsood.version", "lsood.commit"
"""Properties of a suite by which this project's tests say what they ran on."""

_LARGEST = 256 * 2**20
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
"""Pytest writes none; they could make a small file stand for a large one."""


@dataclass(frozen=True)
class JunitResults:
    """Outcomes of tests.

    Attributes:
        contents: of the file; empty without one.
        outcomes: of every case by its class name and its name without parameters, one for each set of parameters.
        version: of this project, on which the tests ran; None where the file does not say it.
        commit: likewise.
    """

    contents: bytes = b""
    outcomes: dict[tuple[str, str], list[TestOutcome]] = field(default_factory=dict)
    version: str | None = None
    commit: str | None = None

    def outcome(self, node_id: str) -> TestOutcome:
        """How a test ended: ``failed`` where a case of it did, ``passed`` where every case ran and passed, else ``not run``.

        Args:
            node_id: of the test without parameters; tests that were run from a folder above have a longer class name.
        """
        path, *classes, name = node_id.split("::")
        dotted = ".".join([path.removesuffix(".py").replace("/", "."), *classes])
        cases = [
            outcome
            for (class_name, case), outcomes in self.outcomes.items()
            if case == name and (class_name == dotted or class_name.endswith(f".{dotted}"))
            for outcome in outcomes
        ]
        return combined(cases)


def combined(outcomes: Collection[TestOutcome]) -> TestOutcome:
    """The outcome of several cases of one test."""
    if "failed" in outcomes:
        return "failed"
    return "passed" if outcomes and set(outcomes) == {"passed"} else "not run"


def read_junit(path: Path) -> JunitResults:
    """Read a file of results.

    Raises:
        UsageError: it cannot be read, is no such XML, holds no test, or results of several versions.
    """
    try:
        contents = read_plain(path, _LARGEST)
        if any(mark in contents for mark in _DECLARATIONS):
            raise UsageError(
                f"expected results as pytest --junitxml writes them, got {path}, which declares a document type: give "
                "pytest's own file"
            )
        root = ElementTree.fromstring(contents)
    except OSError as error:
        raise UsageError(
            f"expected results of tests, cannot read {path}: {reason_of(error)}; check its path"
        ) from error
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UsageError(
            f"expected results as pytest --junitxml writes them, cannot read {path} ({one_line(error)}): run the tests again"
        ) from error
    outcomes: dict[tuple[str, str], list[TestOutcome]] = {}
    for class_name, name, outcome in _cases(root.iter("testcase")):
        outcomes.setdefault((class_name, name), []).append(outcome)
    if not outcomes:
        raise UsageError(
            f"expected results as pytest --junitxml writes them, found no test in {path}: run the tests again"
        )
    version, commit = (_property(root, name, path) for name in (VERSION_PROPERTY, COMMIT_PROPERTY))
    return JunitResults(contents, outcomes, version, commit)


def _property(root: ElementTree.Element, name: str, path: Path) -> str | None:
    """The value of a property that every suite with tests has; None where none has it."""
    found = {
        next((each.get("value") for each in suite.findall("properties/property") if each.get("name") == name), None)
        for suite in root.iter("testsuite")
        if suite.find("testcase") is not None
    }
    if len(found) > 1:
        told = ", ".join(sorted("none" if value is None else one_line(value)[:60] for value in found))
        raise UsageError(f"expected results of one {name}, got {told} in {path}: give the results of one run")
    return next(iter(found), None)


def _cases(elements: Iterable[ElementTree.Element]) -> Iterator[tuple[str, str, TestOutcome]]:
    for element in elements:
        children = {child.tag for child in element}
        outcome: TestOutcome = "passed"
        if children & {"failure", "error"}:
            outcome = "failed"
        elif "skipped" in children:
            outcome = "not run"
        yield element.get("classname", ""), element.get("name", "").partition("[")[0], outcome

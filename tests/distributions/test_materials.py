# SPDX-License-Identifier: Apache-2.0
"""The bills of materials that the wheels ship are those of their ``pyproject.toml``."""

import json

import pytest
from packaging.requirements import Requirement

from lsood_runtime import __version__
from tests.distributions.materials import bill, bill_path
from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME, project


@pytest.mark.parametrize("name", FOLDERS)
def test_bill_of_materials_is_that_of_the_project(name: str) -> None:
    """Where it is not: ``python -m tests.distributions.materials``."""
    assert json.loads(bill_path(name).read_text()) == bill(name)


@pytest.mark.parametrize("name", FOLDERS)
def test_bill_of_materials_names_each_package_once_with_its_extras(name: str) -> None:
    written = json.loads(bill_path(name).read_text())
    assert (written["bomFormat"], written["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    components = {component["name"]: component for component in written["components"]}
    assert len(components) == len(written["components"])
    table = project(name)
    needed = {Requirement(text).name for text in table["dependencies"]}
    assert {key for key, component in components.items() if component["scope"] == "required"} == needed
    for extra, texts in table["optional-dependencies"].items():
        brought = {key for key, found in components.items() if {"name": "extra", "value": extra} in found["properties"]}
        assert brought == {Requirement(text).name for text in texts} - {name}


def test_bill_of_materials_calls_nothing_of_this_repository_a_package_of_an_index() -> None:
    text = "".join(bill_path(name).read_text() for name in FOLDERS)
    assert f"pkg:pypi/{RUNTIME}" not in text
    assert f"pkg:pypi/{EXPORT}" not in text

# SPDX-License-Identifier: Apache-2.0
"""The bills of materials of both wheels, as CycloneDX 1.6; ``python -m tests.distributions.materials`` writes them.

A wheel holds this project's code alone, so its bill names the packages that it asks for, with the versions that it allows and
the extras that bring them. PEP 770 says where the file lies in a wheel.
"""

import json
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from lsood_runtime import __version__
from tests.distributions.projects import FOLDERS, RUNTIME, configuration, project


def bill_path(name: str) -> Path:
    """Where the bill of a distribution lies in the repository, as its build reads it."""
    (path,) = configuration(name)["tool"]["hatch"]["build"]["targets"]["wheel"]["sbom-files"]
    return FOLDERS[name] / str(path)


def bill(name: str) -> dict[str, Any]:
    """The bill of a distribution, from its ``pyproject.toml``."""
    table = project(name)
    asked = [("", text) for text in table["dependencies"]]
    asked += [(extra, text) for extra, texts in table["optional-dependencies"].items() for text in texts]
    wanted: dict[str, list[tuple[str, Requirement]]] = {}
    for extra, text in asked:
        requirement = Requirement(text)
        if requirement.name != name:  # an extra that brings another extra
            wanted.setdefault(requirement.name, []).append((extra, requirement))
    components = [_component(package, entries) for package, entries in sorted(wanted.items())]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": name,
                "name": name,
                "version": __version__,
                "description": table["description"],
                "licenses": [{"license": {"id": table["license"]}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": name, "dependsOn": [component["bom-ref"] for component in components]},
            *({"ref": component["bom-ref"]} for component in components),
        ],
    }


def _component(package: str, entries: list[tuple[str, Requirement]]) -> dict[str, Any]:
    needed = any(not extra for extra, _ in entries)
    properties = [{"name": "requirement", "value": str(requirement)} for requirement in _distinct(entries)]
    properties += [{"name": "extra", "value": extra} for extra, _ in entries if extra]
    component: dict[str, Any] = {"type": "library", "bom-ref": package, "name": package}
    if package == RUNTIME:  # of this repository, on no index
        component["version"] = __version__
    else:
        component["purl"] = f"pkg:pypi/{package.lower()}"
    return component | {"scope": "required" if needed else "optional", "properties": properties}


def _distinct(entries: list[tuple[str, Requirement]]) -> list[Requirement]:
    return list(dict.fromkeys(requirement for _, requirement in entries))


if __name__ == "__main__":
    for distribution in FOLDERS:
        bill_path(distribution).write_text(json.dumps(bill(distribution), indent=2) + "\n")

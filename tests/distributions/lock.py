# SPDX-License-Identifier: Apache-2.0
"""The lock file of PEP 751 for the constraints; ``python -m tests.distributions.lock`` writes it anew, by ``uv``.

It holds what both distributions ask for with the extras that the tests install, the group ``dev`` and the build, at the
versions of ``constraints.txt``, with the digest of every file and its place on the public index.
"""

import subprocess
from typing import Any

from packaging.requirements import Requirement

from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME, configuration, project
from tests.paths import ROOT

LOCK = ROOT / "pylock.toml"
INDEX, FILES = "https://pypi.org/simple", "https://files.pythonhosted.org/"
LEFT_OUT = {"gpu", "rerun"}
"""Extras that the tests do not install."""


def locked_requirements() -> list[Requirement]:
    """What is locked for: requirements of both distributions, of their build and of the development groups."""
    texts = list[str](configuration(RUNTIME)["build-system"]["requires"])
    for name in FOLDERS:
        table: dict[str, Any] = project(name)
        texts += table["dependencies"]
        texts += [text for extra, of in table["optional-dependencies"].items() if extra not in LEFT_OUT for text in of]
    for of in configuration(RUNTIME)["dependency-groups"].values():
        texts += [text for text in of if isinstance(text, str)]
    return [requirement for requirement in map(Requirement, texts) if requirement.name not in (RUNTIME, EXPORT)]


def write_lock() -> None:
    """Resolve for every system and every Python from 3.11.5 on, from the public index alone."""
    words = ["uv", "pip", "compile", "-", "--quiet", "--no-config", "--universal", "--python-version", "3.11.5"]
    words += ["--default-index", INDEX, "--constraint", "constraints.txt", "--format", "pylock.toml", "--no-header"]
    asked = "\n".join(sorted({str(requirement) for requirement in locked_requirements()}))
    subprocess.run([*words, "--output-file", LOCK], cwd=ROOT, input=asked, text=True, check=True)


if __name__ == "__main__":
    write_lock()

# SPDX-License-Identifier: Apache-2.0
"""Write into the results of a run of tests which version of this project they are of, so that an evidence pack can tell."""

import subprocess

import pytest
from _pytest.junitxml import xml_key

from export.evidence.junit_results import COMMIT_PROPERTY, VERSION_PROPERTY
from lsood_runtime import __version__
from tests.paths import ROOT


def commit_of_tree() -> str | None:
    """The commit of this tree, and whether files differ from it; None where it is no git repository."""

    def told(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if told("rev-parse", "--show-prefix") != "":  # a folder within another repository
        return None
    changes = told("status", "--porcelain", "--untracked-files=no")
    return f"{told('rev-parse', 'HEAD')}{', changed' if changes else ''}"


def record_version(config: pytest.Config) -> None:
    """Add version and commit to the file of results, where one was asked for; with workers, in the process that writes it.

    The fixture ``record_testsuite_property`` records nothing in a worker.
    """
    results = config.stash.get(xml_key, None)
    if results is None:
        return
    results.add_global_property(VERSION_PROPERTY, __version__)
    commit = commit_of_tree()
    if commit is not None:
        results.add_global_property(COMMIT_PROPERTY, commit)

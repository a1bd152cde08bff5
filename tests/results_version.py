# SPDX-License-Identifier: Apache-2.0
"""Write into the results of a run of tests which version of this project they are of, so that an evidence pack can tell."""

import pytest
from _pytest.junitxml import xml_key

from export.evidence.junit_results import COMMIT_PROPERTY, VERSION_PROPERTY
from export.evidence.source_commit import source_commit
from lsood_runtime import __version__


def record_version(config: pytest.Config) -> None:
    """Add version and commit to the file of results, where one was asked for; with workers, in the process that writes it.

    The fixture ``record_testsuite_property`` records nothing in a worker.
    """
    results = config.stash.get(xml_key, None)
    if results is None:
        return
    results.add_global_property(VERSION_PROPERTY, __version__)
    commit = source_commit()
    if commit is not None:
        results.add_global_property(COMMIT_PROPERTY, commit)

# SPDX-License-Identifier: Apache-2.0
"""The C++ library and its test programs, built once in a session."""

from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.cpp.building import build_library, require_tools


@pytest.fixture(scope="session")
def cpp_build(shared_folder: Path) -> Path:
    """The build folder, in which the programs of ``cpp/tests`` lie."""
    require_tools()
    return made_once(shared_folder / "cpp" / "build", lambda build: build_library(build, "-DLSOOD_BUILD_TESTS=ON"))

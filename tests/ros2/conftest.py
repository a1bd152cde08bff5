# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 packages built against stand-ins, once in a session, and played to."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.cpp.building import build_library
from tests.cpp.conftest import cpp_build
from tests.ros2.playing import STAND_IN, Player

__all__ = ["cpp_build", "player", "ros_build"]


@pytest.fixture(scope="session")
def ros_build(cpp_build: Path, shared_folder: Path) -> Path:
    """The build folder, against the installed library."""

    def make(build: Path) -> None:
        prefix = build.with_name("prefix")
        subprocess.run(["cmake", "--install", cpp_build, "--prefix", prefix], check=True, capture_output=True)
        paths = (f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython3_EXECUTABLE={sys.executable}")
        build_library(build, *paths, "-DCMAKE_BUILD_TYPE=Debug", source=STAND_IN)  # in half the time

    return made_once(shared_folder / "ros2" / "build", make)


@pytest.fixture
def player(ros_build: Path, tmp_path: Path) -> Player:
    return Player(ros_build, tmp_path)

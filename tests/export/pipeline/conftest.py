# SPDX-License-Identifier: Apache-2.0
"""Frames for networks that take any size."""

from pathlib import Path

import pytest

from tests.conftest import made_once, write_scenes

SIZE = (32, 64)


@pytest.fixture(scope="session")
def own_size_frames(shared_folder: Path) -> Path:
    """Scenes of the network's own size, so that no resize stands between them and a computation by hand."""
    return made_once(shared_folder / "frames" / "own_size", lambda folder: write_scenes(folder, 60, seed=4, size=SIZE))

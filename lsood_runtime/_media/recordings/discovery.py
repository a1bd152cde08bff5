# SPDX-License-Identifier: Apache-2.0
"""Tell recordings from other files and folders, by their names."""

from pathlib import Path

RECORDING_SUFFIXES = (".mcap", ".bag", ".db3", ".mcap.zstd", ".db3.zstd", ".bag.active", ".mcap.active")
BAG_METADATA = "metadata.yaml"


def is_recording(path: Path) -> bool:
    """Whether ``path`` is a recorded drive: a file by its suffix, the folder of a ROS 2 bag by its metadata."""
    if path.is_file():
        return path.name.lower().endswith(RECORDING_SUFFIXES)
    return (path / BAG_METADATA).is_file()

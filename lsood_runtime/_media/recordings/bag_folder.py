# SPDX-License-Identifier: Apache-2.0
"""List the files of a recording, which are several where a ROS 2 bag is a folder."""

from pathlib import Path, PurePath
from typing import Any

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.recordings.discovery import BAG_METADATA, is_recording
from lsood_runtime._media.recordings.recorded import Tell


def recorded_files(path: Path, tell: Tell) -> list[Path]:
    """The files of a recording in the order of recording: ``path`` itself, or what the metadata of a bag list.

    Listed files that are missing, and files of the folder that are not listed, are told.

    Raises:
        MediaError: a bag without files, or whose metadata cannot be read; the message names it.
    """
    if not path.is_dir():
        return [path]
    listed = [path / name for name in _listed(path / BAG_METADATA)]
    there = [file for file in listed if file.is_file()]
    gone = [file.name for file in listed if not file.is_file()]
    extra = sorted(file.name for file in path.iterdir() if is_recording(file) and file not in listed)
    if not there:
        raise MediaError(f"expected the files that {path / BAG_METADATA} lists, found none: `ros2 bag reindex {path}`")
    if gone:
        tell(f"{path}: {', '.join(gone)} of its metadata is missing; the rest is read")
    if extra:
        tell(f"{path}: {', '.join(extra)} is left out, its metadata do not list it; `ros2 bag reindex {path}` does")
    return there


def _listed(metadata: Path) -> list[str]:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError as error:
        raise missing_extra(f"reading the recording {metadata.parent}", "replay") from error
    try:
        contents: Any = YAML(typ="safe", pure=True).load(metadata)
        return [PurePath(name).name for name in contents["rosbag2_bagfile_information"]["relative_file_paths"]]
    except (YAMLError, OSError, ValueError, LookupError, TypeError) as error:
        raise MediaError(
            f"expected the metadata of a ROS 2 bag in {metadata}, cannot read it: give the bag's files one by one, or "
            f"`ros2 bag reindex {metadata.parent}`"
        ) from error

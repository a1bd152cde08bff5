# SPDX-License-Identifier: Apache-2.0
"""Open a file of a recording by its first bytes; the packages that it needs are imported then."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.recordings.recorded import RecordedFile


@contextmanager
def open_recorded(path: Path, name: str = "") -> Iterator[RecordedFile]:
    """Open an MCAP file, a ROS 1 bag, a SQLite file of a ROS 2 bag, or one of these compressed by Zstandard.

    A compressed file is unpacked into the folder for temporary files for as long as it is open.

    Args:
        path: of the file.
        name: of it in messages; empty for the path.

    Raises:
        MediaError: none of these, or a package is missing; the message names it.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MediaError(f"cannot read {name}: {error.strerror}; check the path and its rights") from error
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / "unpacked"
            _unpack(path, unpacked, name)
            with open_recorded(unpacked, name) as recorded:
                yield recorded
    else:
        with _open(path, start, name) as recorded:
            yield recorded


def _open(path: Path, start: bytes, name: str) -> RecordedFile:
    try:
        if start.startswith(b"\x89MCAP"):
            from lsood_runtime._media.recordings.mcap_file import McapFile

            return McapFile(path, name)
        if start.startswith(b"#ROSBAG"):
            from lsood_runtime._media.recordings.ros1_bag import Ros1Bag

            return Ros1Bag(path, name)
        if start.startswith(b"SQLite format 3"):
            from lsood_runtime._media.recordings.sqlite_bag import SqliteBag

            return SqliteBag(path, name)
    except ImportError as error:
        raise missing_extra(f"reading the recording {name}", "replay") from error
    found = "another kind of file" if start else "an empty file"
    raise MediaError(f"cannot read {name}: expected an MCAP file, a ROS 1 bag or a ROS 2 bag, got {found}; check it")


def _unpack(packed: Path, unpacked: Path, name: str) -> None:
    try:
        from lsood_runtime._media.recordings.zstd import unpack_file
    except ImportError as error:
        raise missing_extra(f"reading the recording {name}", "replay") from error
    try:
        unpack_file(packed, unpacked)
    except OSError as error:
        raise MediaError(
            f"cannot unpack {name} into {unpacked.parent}: {error.strerror}; decompress it first"
        ) from error

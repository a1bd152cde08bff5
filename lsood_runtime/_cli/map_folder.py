# SPDX-License-Identifier: Apache-2.0
"""Write the anomaly map of each frame into a folder: as a picture for people, as an array without loss, with its objects."""

import io
import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._cli.map_legend import add_map_legend
from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._maps.map_picture import MapPictures
from lsood_runtime._partial_file import PartialFile
from lsood_runtime._text.counted import counted

_LETTERS = 40


class MapFolder:
    """Writes ``NUMBER_NAME.png``, the frame under its map with a legend below, ``NUMBER_NAME.npy``, the map: ``(h, w)``
    float32, and ``NUMBER_NAME.json``, its objects, their limit, and the state of the frame.

    The folder is made with the first map.

    Args:
        path: of the folder, which is empty where it exists.
        pictures: draws the maps.

    Attributes:
        count: of the frames whose map is written.

    Raises:
        MediaError: Pillow is missing.
    """

    def __init__(self, path: Path, pictures: MapPictures) -> None:
        try:
            from PIL import Image
        except ImportError as error:
            raise missing_extra("drawing anomaly maps", "media") from error
        self._image = Image
        self._path, self._pictures, self.count = path, pictures, 0

    def add(self, number: int, name: str, image: NDArray[np.uint8], verdict: Assessment) -> None:
        """Write the map of a frame, where it has one.

        Args:
            number: of the frame in the run, from 0.
            name: of the frame.
            image: RGB.
            verdict: on it.

        Raises:
            MediaError: a file cannot be written.
        """
        values = verdict.anomaly_map
        if values is None:
            return
        limit = self._pictures.limit
        drawn = add_map_legend(self._pictures.draw(image, values, verdict.objects), values, limit, verdict.object_words)
        picture, array = io.BytesIO(), io.BytesIO()
        self._image.fromarray(drawn).save(picture, "png")
        np.save(array, values, allow_pickle=False)
        told = {
            "frame": name,
            "state": verdict.state.value,
            "reason": verdict.reason,
            "object_limit": limit,
            "largest_value": float(values.max()),
            "object_count": verdict.object_count,
            "object_words": verdict.object_words,
            "objects": [each.asdict() for each in verdict.objects],
        }
        objects = json.dumps(told, indent=1, allow_nan=False) + "\n"
        stem = self._path / f"{number:06d}_{_short(name)}"
        self._write(
            {
                stem.with_name(f"{stem.name}.png"): picture.getvalue(),
                stem.with_name(f"{stem.name}.npy"): array.getvalue(),
                stem.with_name(f"{stem.name}.json"): objects.encode("utf-8", "backslashreplace"),
            }
        )
        self.count += 1

    def __str__(self) -> str:
        if not self.count:
            return f"no anomaly map is written to {self._path}: no frame has one"
        return f"{counted(self.count, 'anomaly map')} in {self._path}, each as .png, .npy and .json"

    def _write(self, files: Mapping[Path, bytes]) -> None:
        """Write the files of a frame; they appear whole, once all of them are on the disk, or none does."""
        try:
            self._path.mkdir(exist_ok=True)
            with ExitStack() as leaving:
                leaving.callback(_remove_empty, self._path)
                partials = []
                for path, contents in files.items():
                    partials.append(PartialFile(path))
                    leaving.callback(partials[-1].discard)
                    rest = memoryview(contents)
                    while rest:  # a disk that is nearly full takes a part
                        rest = rest[partials[-1].file.write(rest) :]
                for partial in partials:
                    partial.move_into_place()
        except OSError as error:
            raise MediaError(
                f"cannot write the maps of a frame into {self._path}: {error.strerror or error}; choose another folder"
            ) from error


def _remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing: not one map could be written into it."""
    with suppress(OSError):
        folder.rmdir()


def _short(name: str) -> str:
    """The last part of a frame's name, without the suffix of an image, in what any file system takes."""
    last = Path(name).name
    stem = Path(last).stem if "#" not in last else last.replace("#", "_")
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in stem)[:_LETTERS]

# SPDX-License-Identifier: Apache-2.0
"""Hand picked frames to tools for labels: image lists of COCO and CVAT, samples of FiftyOne."""

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lsood_runtime._exceptions import MediaError, reason_of
from lsood_runtime._media.pictures import image_size
from lsood_runtime._partial_file import whole_file
from lsood_runtime._select.picking import Pick
from lsood_runtime._text.json_values import finite_or_none
from lsood_runtime._version import __version__


def pick_row(picked: Pick) -> dict[str, Any]:
    """What is told of a pick, ready for JSON: None where the distance is infinite, as of the first."""
    return dataclasses.asdict(picked) | {"distance": finite_or_none(picked.distance)}


def coco_list(picks: Sequence[Pick]) -> str:
    """A COCO file of images without annotations, whose ``id`` is the rank; what else is told of a pick stands beside it.

    Raises:
        MediaError: an image cannot be read here, for COCO states the size of each.
    """
    images = []
    for picked in picks:
        height, width = _size(picked, "COCO")
        told = {name: value for name, value in pick_row(picked).items() if name not in ("frame", "rank")}
        images.append({"id": picked.rank, "file_name": picked.frame, "width": width, "height": height} | told)
    info = {"description": "frames to label, the most different first", "version": f"lsood {__version__}"}
    document = {"info": info, "licenses": [], "images": images, "annotations": [], "categories": []}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def cvat_manifest(picks: Sequence[Pick], place: Path) -> str:
    """A manifest of CVAT, in the order of picking: a task with the sorting method ``predefined`` keeps it.

    Args:
        picks: images that lie below the folder of the manifest, as CVAT finds them by their paths from there.
        place: of the manifest.

    Raises:
        MediaError: an image lies elsewhere or cannot be read here.
    """
    lines: list[dict[str, Any]] = [{"version": "1.1"}, {"type": "images"}]
    folder = place.absolute().parent
    for picked in picks:
        height, width = _size(picked, "CVAT")
        path = Path(os.path.abspath(picked.frame))  # noqa: PTH100  a link stays one: CVAT sees the names
        if not path.is_relative_to(folder):
            raise MediaError(
                f"expected images below {folder}, where CVAT looks for those of {place.name}, got {picked.frame}: write the "
                "manifest into a folder above the images"
            )
        name = path.relative_to(folder)
        size = {"width": width, "height": height, "meta": {"related_images": []}}
        lines.append({"name": name.with_suffix("").as_posix(), "extension": name.suffix, **size})
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def fiftyone_module() -> Any:
    """The package FiftyOne.

    Raises:
        MediaError: it is not installed.
    """
    try:
        import fiftyone
    except ImportError as error:
        raise MediaError(
            "expected the package fiftyone for a dataset of FiftyOne, found none: pip install fiftyone"
        ) from error
    return fiftyone


def check_fiftyone(name: str) -> None:
    """Refuse the name of a dataset that exists.

    Raises:
        MediaError: it does, or FiftyOne is not installed.
    """
    if fiftyone_module().dataset_exists(name):
        raise MediaError(f"expected the name of a new dataset of FiftyOne, {name} exists: choose another name")


def add_to_fiftyone(picks: Sequence[Pick], name: str) -> None:
    """Make a persistent dataset of FiftyOne: a sample for each image, with the tag ``to label`` and a field for each fact.

    It is whole, or not there.

    Raises:
        MediaError: a pick is no image file.
    """
    fiftyone = fiftyone_module()
    samples = []
    for picked in picks:
        facts = {field: value for field, value in pick_row(picked).items() if field != "frame" and value is not None}
        samples.append(fiftyone.Sample(filepath=str(_image(picked, "FiftyOne").absolute()), tags=["to label"], **facts))
    dataset = fiftyone.Dataset(name, persistent=True)
    try:
        dataset.add_samples(samples)
    except BaseException:  # Ctrl-C too: a dataset of the name would be refused the next time
        fiftyone.delete_dataset(name)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file; it appears whole, or not at all.

    Raises:
        MediaError: nothing can be written there.
    """
    try:
        with whole_file(path) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise MediaError(f"cannot write {path}: {reason_of(error)}; choose another file") from error


def unreadable(picks: Sequence[Pick]) -> Iterator[Pick]:
    """The picks that are no image file here."""
    return (picked for picked in picks if not Path(picked.frame).is_file())


def _image(picked: Pick, tool: str) -> Path:
    path = Path(picked.frame)
    if not path.is_file():
        raise MediaError(
            f"expected image files for {tool}, found none at {picked.frame}: fetch the frames first, or run in the "
            "folder from which they were scored"
        )
    return path


def _size(picked: Pick, tool: str) -> tuple[int, int]:
    return image_size(_image(picked, tool))

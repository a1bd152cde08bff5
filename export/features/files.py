# SPDX-License-Identifier: Apache-2.0
"""Save and load features of frames, so that shards measured on several machines give one calibration.

A file holds them compressed, and is read into memory; a folder (:mod:`export.features.folder`) is read block by block.
Every feature of every frame is saved under the name of its key. Shards read in the order of recording give the very detector
that one pass gives.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.atomic_write import atomic_file
from export.destination import check_place
from export.errors import UsageError
from export.features.folder import FeatureFolder, FolderRows, FrameTable
from export.features.frames import Features
from export.features.key import OUTPUT_SCORES, FeatureKey
from lsood_runtime.offline import open_plain

_NETWORK, _NAMES, _SCORE = "network_sha256", "names", "score"
_ARCHIVE = b"PK\x03\x04"
_OLD_MOMENTS, _OLD_SCORES = "moments", "output_scores"


def is_one_file(path: Path) -> bool:
    """Whether features go to one ``.npz`` file in the end, and not to a folder as they are measured."""
    return path.suffix == ".npz"


def check_features_path(path: Path) -> None:
    """Refuse a file or folder that could not be written, before the frames are measured.

    Raises:
        UsageError: it has a suffix other than ``.npz``, it is of the other kind, or it cannot take its place for another
            reason.
    """
    if path.suffix and not path.is_dir():
        _check_suffix(path)
    if is_one_file(path) if path.is_dir() else path.exists() and not is_one_file(path):
        raise UsageError(
            f"expected a file ending in .npz, or a folder, for features, got {path}, which is the other: choose another name"
        )
    check_place(path, "choose another --save-features", folder=not is_one_file(path))


def _check_suffix(path: Path) -> None:
    if path.suffix != ".npz":
        raise UsageError(f"expected a file ending in .npz for features, got {path}: choose another name")


def save_features(path: Path, features: Features, network_sha256: str) -> None:
    """Write features as a compressed NumPy archive, atomically.

    Args:
        path: the file, ending in ``.npz``.
        features: of one or more frames.
        network_sha256: of the network that measured them, from the bundle's manifest.

    Raises:
        UsageError: another suffix, or a folder that cannot be written to.
    """
    _check_suffix(path)
    arrays: dict[str, Any] = {str(key): values for key, values in features.values.items()}
    arrays |= {_NAMES: features.names, _SCORE: features.score, _NETWORK: np.array(network_sha256)}
    try:
        with atomic_file(path) as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise UsageError(
            f"expected to write features to {path}, got {error.strerror}: choose another folder"
        ) from error


def open_features(paths: Sequence[Path], network_sha256: str) -> FrameTable:
    """Join files and folders of features, in the order given; what lies in folders alone stays there.

    Raises:
        UsageError: one is missing, damaged, unfinished, of another network, or holds a frame that an earlier one holds.
    """
    if not all(path.is_dir() for path in paths):
        joined = load_features(paths, network_sha256)
        return FrameTable(joined.names.tolist(), joined.values)
    folders = [_open_folder(path, network_sha256) for path in paths]
    widths = folders[0].widths()
    if any(folder.widths() != widths for folder in folders):
        raise UsageError("expected folders of the same features, got several: measure them alike, with one bundle")
    names = [name for folder in folders for name in folder.names()]
    check_once(names)
    return FrameTable(
        names, {FeatureKey.parse(name): FolderRows(folders, name, width) for name, width in widths.items()}
    )


def _open_folder(path: Path, network_sha256: str) -> FeatureFolder:
    folder = FeatureFolder.open(path)
    if folder.contents.network_sha256 != network_sha256:
        raise _of_another_network(path)
    return folder


def _of_another_network(path: Path) -> UsageError:
    return UsageError(
        f"expected features that this bundle's network measured, {path} is of another: measure them again"
    )


def check_once(names: Sequence[str]) -> None:
    """Refuse a frame that is there twice.

    Raises:
        UsageError: it names the frame.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"expected each frame in one file of features, {name} is there twice: drop one")
        seen.add(name)


def load_features(paths: Sequence[Path], network_sha256: str) -> Features:
    """Read and join files and folders of features, in the order given.

    Raises:
        UsageError: as for :func:`open_features`.
    """
    shards = [
        _open_folder(path, network_sha256).in_memory() if path.is_dir() else _load(path, network_sha256)
        for path in paths
    ]
    joined = Features.concatenate(shards)
    check_once(joined.names.tolist())
    return joined


def _load(path: Path, network_sha256: str) -> Features:
    try:
        with open_plain(path) as file:
            if file.read(len(_ARCHIVE)) != _ARCHIVE:  # before the memory for all of it is asked for
                raise ValueError("it is no archive")
            contents = _ARCHIVE + file.read()
        with np.load(io.BytesIO(contents), allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files if name not in (_NETWORK, _NAMES, _SCORE)}
            names, score, network = arrays[_NAMES], arrays[_SCORE], str(arrays[_NETWORK])
        features = Features(names, score, _by_key(values))
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for content that is no archive of arrays
        raise UsageError(
            f"expected a file of features, cannot read {path} ({type(error).__name__}): name one that --save-features wrote"
        ) from error
    if network != network_sha256:
        raise _of_another_network(path)
    _check_arrays(path, features)
    return features


def _check_arrays(path: Path, features: Features) -> None:
    """Refuse entries that are no arrays, do not belong to one another, or are what no measurement gives."""
    names, score = features.names, features.score
    entries = {_NAMES: names, _SCORE: score, **{str(key): rows for key, rows in features.values.items()}}
    no_arrays = [name for name, entry in entries.items() if not isinstance(entry, np.ndarray)]
    if no_arrays:
        raise UsageError(
            f"expected arrays of features, {path} has something else under {', '.join(no_arrays)}: measure them again"
        )
    right = names.ndim == 1 and names.size > 0 and names.dtype.kind == "U"
    faults = [] if right else [f"names of shape {names.shape} and type {names.dtype}, not one text for each frame"]
    for name, rows in entries.items():
        if name == _NAMES:
            continue
        if rows.ndim != (1 if name == _SCORE else 2) or rows.dtype.kind != "f" or 0 in rows.shape[1:]:
            faults.append(f"{name} of shape {rows.shape} and type {rows.dtype}, not rows of decimal numbers")
        elif len(rows) != names.size:
            faults.append(f"{len(rows)} rows of {name} for {names.size} names")
        elif not np.isfinite(rows).all():
            bad = int(np.argwhere(~np.isfinite(rows))[0, 0])
            faults.append(f"NaN or infinity in {name} of the frame {names.flat[bad]}")
    if not features.values:
        faults.append("no feature")
    if faults:
        raise UsageError(
            f"expected features of the same frames under every name, {path} has {'; '.join(faults)}: measure them again"
        )


def _by_key(values: dict[str, Any]) -> dict[FeatureKey, Any]:
    """Arrays by key; a file of before there were keys has four scores together, and moments of a layer without a name."""
    if _OLD_SCORES in values:
        scores = values.pop(_OLD_SCORES)
        values.pop(_OLD_MOMENTS)
        kinds = OUTPUT_SCORES[: scores.shape[1]]
        values |= {str(FeatureKey.output_score(kind)): scores[:, i : i + 1] for i, kind in enumerate(kinds)}
    return {FeatureKey.parse(name): rows for name, rows in values.items()}

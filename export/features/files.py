# SPDX-License-Identifier: Apache-2.0
"""Save and load features of frames, so that shards measured on several machines give one calibration.

Every feature of every frame is saved under the name
of its key. Shards read in the order of recording give the very detector that one pass gives.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.atomic_write import atomic_file
from export.destination import check_parent_folder
from export.errors import UsageError
from export.features.frames import Features
from export.features.key import OUTPUT_SCORES, FeatureKey

_NETWORK, _NAMES, _SCORE = "network_sha256", "names", "score"
_OLD_MOMENTS, _OLD_SCORES = "moments", "output_scores"


def check_features_file(path: Path) -> None:
    """Refuse a file that :func:`save_features` could not write in the end, before the frames are measured.

    Raises:
        UsageError: another suffix than ``.npz``, or its folder is missing or read-only.
    """
    _check_suffix(path)
    check_parent_folder(path, "choose another --save-features")


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


def load_features(paths: Sequence[Path], network_sha256: str) -> Features:
    """Read and join shards, in the order given.

    Raises:
        UsageError: a file is missing, damaged, of another network, or holds a frame that an earlier one holds.
    """
    shards = [_load(path, network_sha256) for path in paths]
    joined = Features.concatenate(shards)
    names, counts = np.unique(joined.names, return_counts=True)
    if (counts > 1).any():
        raise UsageError(
            f"expected each frame in one file of features, {names[counts > 1][0]} is there twice: drop one"
        )
    return joined


def _load(path: Path, network_sha256: str) -> Features:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files if name not in (_NETWORK, _NAMES, _SCORE)}
            features = Features(arrays[_NAMES], arrays[_SCORE], _by_key(values))
            network = str(arrays[_NETWORK])
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for content that is no archive of arrays
        raise UsageError(
            f"expected a file of features, cannot read {path} ({type(error).__name__}): name one that --save-features wrote"
        ) from error
    if network != network_sha256:
        raise UsageError(
            f"expected features that this bundle's network measured, {path} is of another: measure them again"
        )
    return features


def _by_key(values: dict[str, Any]) -> dict[FeatureKey, Any]:
    """Arrays by key; a file of before there were keys has four scores together, and moments of a layer without a name."""
    if _OLD_SCORES in values:
        scores = values.pop(_OLD_SCORES)
        values.pop(_OLD_MOMENTS)
        kinds = OUTPUT_SCORES[: scores.shape[1]]
        values |= {str(FeatureKey.output_score(kind)): scores[:, i : i + 1] for i, kind in enumerate(kinds)}
    return {FeatureKey.parse(name): rows for name, rows in values.items()}

# SPDX-License-Identifier: Apache-2.0
"""Compare two bundles for one camera: their manifests, and their decisions on frames."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError
from lsood_runtime._inference.frame_check import check_named_frame
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._text.counted import counted

_MISSING = "-"
_DIGEST = ("sha256", "bytes")
_COUNTED = {"calibration.scores": "score", "answers.quality.clean_low": "lower end"}
"""Long lists, which are shown by their number, with the word for one of them."""

Changes = dict[str, tuple[object, object]]
"""Dotted name of a field to its value in the old and in the new manifest, ``-`` where one has no such field."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A frame that the two bundles decide differently; scores in each bundle's own unit."""

    frame: str
    old_state: State
    new_state: State
    old_score: float
    new_score: float


@dataclass(frozen=True, slots=True)
class BundleComparison:
    """What two bundles for one camera differ in.

    Attributes:
        changes: by the dotted name of a field its value in the old and in the new manifest, ``-`` where one has no such
            field.
        flips: frames that are decided differently; None where no frames were compared.
        frames: number of frames that were compared.
    """

    changes: Changes
    flips: tuple[Flip, ...] | None
    frames: int

    @property
    def differ(self) -> bool:
        """Whether a frame is decided differently or, where none was compared, a field is another one."""
        return bool(self.changes if self.flips is None else self.flips)


def compare_manifests(old: Manifest, new: Manifest) -> Changes:
    """Find the fields that differ; a changed file is shown by its digest, calibration scores by their number, and a record
    that one of them has and the other has not, such as an answer that was dropped, by the names of its fields."""
    left, right = _fields(old), _fields(new)
    dropped = [
        name
        for one, other in ((left, right), (right, left))
        for name, value in one.items()
        if value is None and _names_in(other, name)
    ]
    changes: Changes = {}
    for name in {**left, **right}:
        before, after = left.get(name, _MISSING), right.get(name, _MISSING)
        if before == after or any(name.startswith(f"{record}.") for record in dropped):
            continue
        if name in dropped:
            changes[name] = _names_in(left, name) or _MISSING, _names_in(right, name) or _MISSING
            continue
        path, _, last = name.rpartition(".")
        part = path.startswith("detector.parts.")
        if part and _MISSING in (before, after):
            changes[path] = _part_text(left, path), _part_text(right, path)
        elif path.startswith("files.") and last in _DIGEST:
            changes[path] = _file_text(left, path), _file_text(right, path)
        elif isinstance(before, tuple) and isinstance(after, tuple) and name in _COUNTED:
            changes[name] = counted(len(before), _COUNTED[name]), counted(len(after), _COUNTED[name])
        else:
            changes[name] = before, after
    return changes


def compare_decisions(name: str, frame: NDArray[np.uint8], old: OoDMonitor, new: OoDMonitor) -> Flip | None:
    """Compare the decisions on a frame: the flip, or None where both bundles decide alike.

    Raises:
        BundleError: the bundles take different frames.
        FrameError: the frame does not fit them.
    """
    contracts = [
        (m.manifest.input.frame_height, m.manifest.input.frame_width, m.manifest.input.channels) for m in (old, new)
    ]
    if contracts[0] != contracts[1]:
        raise BundleError(
            f"expected two bundles for the same frames, got {contracts[0]} and {contracts[1]}: compare those of one camera"
        )
    check_named_frame(name, frame, old.manifest.input)
    before, after = old.assess(frame), new.assess(frame)
    if before.state == after.state:
        return None
    return Flip(
        frame=name,
        old_state=before.state,
        new_state=after.state,
        old_score=before.score,
        new_score=after.score,
    )


def _fields(manifest: Manifest) -> dict[str, object]:
    """Every field by its dotted name; those of a detector's part by the name of the part."""
    values = dataclasses.asdict(manifest)
    parts = {part["name"]: part for part in values["detector"].pop("parts")}
    return _flat(values) | _flat(parts, "detector.parts.")


def _flat(values: Mapping[str, object], where: str = "") -> dict[str, object]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        path = f"{where}{name}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) and value else {path: value}
    return flat


def _names_in(fields: Mapping[str, object], record: str) -> str:
    """What a record of a flat manifest has, by name; empty where there is none."""
    inside = [
        name.removeprefix(f"{record}.")
        for name, value in fields.items()
        if name.startswith(f"{record}.") and value is not None
    ]
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in inside))


def _part_text(fields: Mapping[str, object], path: str) -> str:
    """What a part of a flat manifest is and reads."""
    if f"{path}.kind" not in fields:
        return _MISSING
    return f"{fields[f'{path}.kind']} of {', '.join(cast(tuple[str, ...], fields[f'{path}.features']))}"


def _file_text(manifest: Mapping[str, object], path: str) -> str:
    """Length and digest of a file in a flat manifest."""
    if f"{path}.sha256" not in manifest:
        return _MISSING
    return f"{manifest[f'{path}.bytes']:,} bytes, {str(manifest[f'{path}.sha256'])[:12]}..."

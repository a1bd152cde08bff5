# SPDX-License-Identifier: Apache-2.0
"""What two bundles for one camera say differently of themselves, and of frames."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from lsood_runtime._assessment import State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError
from lsood_runtime._inference.frames import Frame, check_named_frame
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._text.json_values import finite_values

_MISSING = "-"
_WIDEST = 90
_HASHES = ("sha256", "bytes")

Changes = dict[str, tuple[Any, Any]]
"""Dotted name of a field to its value in the old and in the new manifest, ``-`` where one has no such field."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A frame that the two bundles decide differently; scores in each bundle's own unit."""

    frame: str
    old_state: State
    new_state: State
    old_score: float
    new_score: float


def compare_manifests(old: Manifest, new: Manifest) -> Changes:
    """Every field that differs; of a file whose bytes changed its name alone, of calibration scores their number."""
    left, right = _flat(dataclasses.asdict(old)), _flat(dataclasses.asdict(new))
    changes: Changes = {}
    for name in {**left, **right}:
        values = left.get(name, _MISSING), right.get(name, _MISSING)
        if values[0] == values[1]:
            continue
        path, _, last = name.rpartition(".")
        if path.startswith("files.") and last in _HASHES:
            changes[path] = tuple(  # type: ignore[assignment]
                _MISSING if name not in side else f"{side[f'{path}.bytes']:,} bytes, {side[f'{path}.sha256'][:12]}..."
                for side in (left, right)
            )
        elif name == "calibration.scores":
            changes[name] = tuple(f"{len(value)} scores" for value in values)  # type: ignore[assignment]
        else:
            changes[name] = values
    return changes


def compare_decisions(name: str, frame: Frame, old: OoDMonitor, new: OoDMonitor) -> Flip | None:
    """The frame's flip; None where both bundles decide alike.

    Raises:
        BundleError: the bundles take different frames.
        FrameError: the frame does not fit them.
    """
    contracts = [
        (m.manifest.input.frame_height, m.manifest.input.frame_width, m.manifest.input.channels) for m in (old, new)
    ]
    if contracts[0] != contracts[1]:
        raise BundleError(f"expected two bundles for the same frames, got {contracts[0]} and {contracts[1]}")
    check_named_frame(name, frame, old.manifest.input)
    before, after = old.assess(frame), new.assess(frame)
    if before.state == after.state:
        return None
    return Flip(name, before.state, after.state, before.score, after.score)


def write_changes(changes: Changes, flips: Sequence[Flip] | None, count: int, out: TextIO) -> None:
    """Write the fields that differ, then the frames; ``flips`` is None where no frames were compared."""
    if not changes:
        out.write("the manifests are the same\n")
    for name, (before, after) in changes.items():
        out.write(f"{name}: {_short(before)} -> {_short(after)}\n")
    if flips is None:
        return
    for flip in flips:
        out.write(f"{flip.frame}: {flip.old_state} ({flip.old_score:.3f}) -> {flip.new_state} ({flip.new_score:.3f})\n")
    out.write(f"{len(flips)} of {count} frames are decided differently\n")


def write_changes_json(changes: Changes, flips: Sequence[Flip] | None, count: int, out: TextIO) -> None:
    """Write ``{"changes": {field: [old, new]}, "frames": N, "flips": [...]}``; ``flips`` is null without frames."""
    document = {
        "changes": changes,
        "frames": count,
        "flips": None if flips is None else [finite_values(dataclasses.asdict(flip)) for flip in flips],
    }
    json.dump(document, out, indent=1, allow_nan=False)
    out.write("\n")


def _flat(values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{where}{name}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) and value else {path: value}
    return flat


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 4]} ..."

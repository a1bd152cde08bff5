# SPDX-License-Identifier: Apache-2.0
"""Find the frames and labels of a published data set in the folder that it was unpacked in."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from export.datasets.layout import DatasetLayout, DatasetSplit
from export.datasets.path_template import fields_of, files_of, folder_of, shown
from export.errors import UsageError
from lsood_runtime.offline import IMAGE_SUFFIXES, natural_key, visible

_SHOWN = 8


class FoundFrame(NamedTuple):
    """A frame of a data set.

    Attributes:
        path: of its file.
        label: its label file; None in a split without labels.
        part: of the data set, such as ``fog``; empty where it has none.
        drive: the recording; the data set's name where it tells none.
    """

    path: Path
    label: Path | None
    part: str
    drive: str


def find_frames(
    layout: DatasetLayout, root: str | Path, split: str | None = None, parts: Collection[str] = ()
) -> tuple[FoundFrame, ...]:
    """List the frames of a split with their labels, in the natural order of their paths.

    Args:
        layout: of the data set.
        root: folder that its archives were unpacked in.
        split: name of the split; None for the usual one.
        parts: to keep, such as ``("fog",)``; empty keeps all.

    Raises:
        UsageError: a folder is missing, which is named with those that are there; no frame, or one of another name; a frame
            without its label or a label without its frame; or a split or a part that the data set does not have.
    """
    root = Path(root)
    chosen = split_of(layout, split)
    check_root(layout, chosen, root)
    named = files_of(chosen.frames, root)
    _check_names(chosen, root, named)
    frames = _of_drives(named, chosen)
    if not frames:
        raise UsageError(
            f"expected frames {shown(chosen.frames)} of {layout.title} in {root}, found none: unpack its archives there"
        )
    labels: dict[Path, Path] = {}
    if chosen.labels is not None:
        frames, labels = _paired(frames, _of_drives(files_of(chosen.labels, root), chosen), chosen, layout)
    known = dict.fromkeys(fields.get("part", "") for fields in frames.values())
    unknown = sorted(set(parts) - known.keys())
    if unknown:
        there = ", ".join(sorted(filter(None, known))) or "none: it has no parts"
        raise UsageError(
            f"expected parts of {layout.title} among those in {root}, {there}; got {unknown[0]}: choose some"
        )
    found = [
        FoundFrame(path, labels.get(path), fields.get("part", ""), fields.get("drive", layout.name))
        for path, fields in frames.items()
        if not parts or fields.get("part", "") in parts
    ]
    return tuple(sorted(found, key=lambda frame: natural_key(frame.path.relative_to(root).as_posix())))


def split_of(layout: DatasetLayout, split: str | None) -> DatasetSplit:
    """The split of a name, the usual one for None.

    Raises:
        UsageError: the data set has none of this name.
    """
    name = layout.usual_split if split is None else split
    if name not in layout.splits:
        raise UsageError(
            f"expected a split of {layout.title} from {', '.join(layout.splits)}, got {name!r}: choose one of them"
        )
    return layout.splits[name]


def check_root(layout: DatasetLayout, split: DatasetSplit, root: Path) -> None:
    """Refuse a root without the folders of a split.

    Raises:
        UsageError: it names the folders that are expected, and those that are there.
    """
    if not root.is_dir():
        raise UsageError(f"expected a folder that holds {layout.title}, found none at {root}: check the path")
    folders = [folder_of(template) for template in (split.frames, split.labels) if template is not None]
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    if missing:
        raise UsageError(
            f"expected the folders {' and '.join(dict.fromkeys(folders))} of {layout.title} in {root}, {missing[0]} is "
            f"missing; found {_listing(root)}: pass the folder that its archives were unpacked in"
        )


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join(names[:_SHOWN] + more) or "nothing"


Fields = Mapping[str, str]


def _check_names(split: DatasetSplit, root: Path, named: Mapping[Path, Fields]) -> None:
    """Refuse images among the frames whose names say less than they shall: left out in silence, nobody would miss them."""
    others = (path for path in root.glob(shown(split.frames)) if path not in named and visible(path))
    misnamed = sorted(path for path in others if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if misnamed:
        raise UsageError(f"expected frames named as {split.frames}, got {misnamed[0]}: take out what is no frame")


def _of_drives(files: Mapping[Path, Fields], split: DatasetSplit) -> dict[Path, Fields]:
    return {path: fields for path, fields in files.items() if not split.drives or fields["drive"] in split.drives}


def _paired(
    frames: Mapping[Path, Fields], labels: Mapping[Path, Fields], split: DatasetSplit, layout: DatasetLayout
) -> tuple[dict[Path, Fields], dict[Path, Path]]:
    """The frames that are kept, and the label of each."""
    shared = sorted(fields_of(split.frames) & fields_of(split.labels or ""))
    frame_of, label_of = (_by_key(files, shared, layout) for files in (frames, labels))
    without_label = [] if split.labels_choose else sorted(frame_of.keys() - label_of.keys())
    for keys, have, word in (
        (without_label, frame_of, "label"),
        (sorted(label_of.keys() - frame_of.keys()), label_of, "frame"),
    ):
        if keys:
            template = split.labels if word == "label" else split.frames
            raise UsageError(
                f"expected a {word} {shown(template or '')} for every {'frame' if word == 'label' else 'label'} of "
                f"{layout.title}, {len(keys)} of {len(have)} have none, first {have[keys[0]]}: add what is missing"
            )
    kept = {frame_of[key]: frames[frame_of[key]] for key in label_of}
    return kept, {frame_of[key]: path for key, path in label_of.items()}


def _by_key(files: Mapping[Path, Fields], shared: Sequence[str], layout: DatasetLayout) -> dict[tuple[str, ...], Path]:
    found: dict[tuple[str, ...], Path] = {}
    for path, fields in files.items():
        other = found.setdefault(tuple(fields[name] for name in shared), path)
        if other != path:
            raise UsageError(f"expected one file for each name in {layout.title}, got {other} and {path}: drop one")
    return found

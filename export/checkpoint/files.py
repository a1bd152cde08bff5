# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files that ``torch.load`` does not read: safetensors, TorchScript, folders of several files."""

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from export.errors import CheckpointError, first_line
from lsood_runtime.offline import printable, read_plain

_BLOCK = 2**20
_LARGEST_INDEX = 2**26
"""Bytes of the index of a folder of files, at most."""


def damaged_file(path: Path, error: Exception) -> CheckpointError:
    """The error of a file that cannot be read."""
    return CheckpointError(
        f"expected a checkpoint, {path} is cut off or none: {first_line(error)}; save or copy it again"
    )


def is_torchscript(path: Path) -> bool:
    """Whether a file is one of ``torch.jit.save``.

    Raises:
        CheckpointError: it is a damaged archive.
    """
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/")[1:] == ["constants.pkl"] for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged_file(path, error) from error


def check_checksums(path: Path) -> None:
    """Compare what an archive of ``torch.save`` holds with its checksums, which ``torch.load`` does not look at.

    :class:`export.checkpoint.checked_archive.CheckedArchive` does so while it is loaded.

    A file none of whose checksums is right was saved without them (``torch.serialization.set_crc32_options``), and passes.

    Raises:
        CheckpointError: some are right and others are not.
    """
    if not zipfile.is_zipfile(path):
        return
    wrong, right = list[str](), 0
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if _is_whole(archive, entry):
                    right += bool(entry.file_size)
                else:
                    wrong.append(entry.filename)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged_file(path, error) from error
    refuse_changed(path, wrong, right)


def refuse_changed(path: Path, wrong: Sequence[str], right: int) -> None:
    """Refuse an archive in which some checksums are right and others are not.

    Args:
        path: of the archive.
        wrong: names of the entries whose checksum is another.
        right: number of the others.

    Raises:
        CheckpointError: there are both.
    """
    if wrong and right:
        raise CheckpointError(
            f"expected a checkpoint as it was saved, {path} was changed since: the checksum of {printable(wrong[0])} is "
            "another; copy it again"
        )


def _is_whole(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(entry) as contents:
            while contents.read(_BLOCK):
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False
    return True


def read_safetensors(path: Path) -> dict[str, object]:
    """Read the tensors of a safetensors file.

    Raises:
        CheckpointError: the package is missing, or the file is damaged.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f"expected the package safetensors to read {path}, found none: pip install safetensors"
        ) from error
    try:
        return dict(load_file(path))
    except Exception as error:  # SafetensorError, or whatever a damaged header leads to
        raise damaged_file(path, error) from error


def read_folder(folder: Path, read: Callable[[Path], object]) -> dict[str, object]:
    """Put the weights together that a folder holds in several files, with an index as transformers writes it.

    Args:
        folder: with one ``*.index.json``, whose ``weight_map`` names the file of each weight.
        read: reads one of the files.

    Raises:
        CheckpointError: a folder of another kind, or files that lack weights of the index.
    """
    indices = sorted(folder.glob("*.index.json"))
    if len(indices) != 1:
        raise CheckpointError(_remedy(folder))
    files = _weight_map(indices[0])
    weights: dict[str, object] = {}
    for name in dict.fromkeys(files.values()):
        part = read(folder / name)
        if not isinstance(part, Mapping):
            raise CheckpointError(
                f"expected a dict of weights in {folder / name}, got {type(part).__name__}: copy it again"
            )
        weights |= part
    missing = [name for name in files if name not in weights]
    if missing:
        raise CheckpointError(
            f"expected the {len(files)} weights of {indices[0]}, {len(missing)} are in no file, the first is "
            f"{printable(missing[0])}: copy the folder again"
        )
    return weights


def _weight_map(index: Path) -> dict[str, str]:
    try:
        files = json.loads(read_plain(index, _LARGEST_INDEX))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged_file(index, error) from error
    if not isinstance(files, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in files.values()
    ):
        raise CheckpointError(f"expected names of files in {index.parent} as the weight_map of {index}: copy it again")
    return files


def _remedy(folder: Path) -> str:
    """What to do with a folder that is no checkpoint as it is."""
    if (folder / ".metadata").is_file():
        return (
            f"expected a checkpoint file, {folder} is a folder of shards: make one with "
            f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} {folder.with_suffix('.pt')}"
        )
    if (folder / "zero_to_fp32.py").is_file():
        return f"expected a checkpoint file, {folder} is one of DeepSpeed's: make one with the zero_to_fp32.py that it holds"
    files = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".ckpt", ".pt", ".pth", ".bin", ".safetensors")
    )
    inside = ", ".join(files[:5]) or "no checkpoint"
    return f"expected a checkpoint file, {folder} is a folder: name a file in it by --ckpt, there is {inside}"

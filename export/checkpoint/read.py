# SPDX-License-Identifier: Apache-2.0
"""Read a checkpoint file without running code from it."""

import difflib
import importlib.util
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import IO

import torch

from export.checkpoint.checked_archive import CheckedArchive
from export.checkpoint.files import (
    check_checksums,
    damaged_file,
    is_torchscript,
    read_folder,
    read_safetensors,
    refuse_changed,
)
from export.checkpoint.foreign_files import refuse_foreign_file
from export.checkpoint.safe_types import safe_types
from export.errors import CheckpointError
from export.findings import PLACEHOLDER
from export.option_table import plain_word
from lsood_runtime.offline import printable

_TRUST = "give --trust-checkpoint if you know where it comes from"


def read_contents(path: Path, *, trust: bool) -> object:
    """Unpickle a file of ``torch.save``, or read one of safetensors.

    Args:
        path: of the file.
        trust: unpickle whatever it holds, which may run any code.

    Raises:
        CheckpointError: no such file, one that is cut off or of another kind, or objects that need trust.
    """
    if path.is_dir():
        return read_folder(path, lambda part: read_contents(part, trust=trust))
    if not path.is_file():
        near = _near_file(path)
        others = "" if near is None else f", beside it is {printable(near.name)}"
        raise CheckpointError(
            f"expected a checkpoint file, found none at {path}{others}: check --ckpt",
            words=("--ckpt", PLACEHOLDER if near is None else plain_word(near)),
        )
    refuse_foreign_file(path)
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if not trust and is_torchscript(path):
        raise CheckpointError(
            f"{path} is a TorchScript file, which may run any code: save the network's state_dict(), or {_TRUST}",
            words=("--trust-checkpoint",),
        )
    if trust or not zipfile.is_zipfile(path):
        check_checksums(path)  # before any code runs that it may hold
        return _unpickled(path, path, trust=trust)
    try:
        with CheckedArchive(path) as archive:
            contents = _unpickled(path, archive.file, trust=False)
    except (zipfile.BadZipFile, OSError) as error:
        raise damaged_file(path, error) from error
    except CheckpointError:
        check_checksums(path)  # a byte that was changed is the reason, where there is one
        raise
    if not archive.is_judged:
        check_checksums(path)
    refuse_changed(path, sorted(archive.wrong), len(archive.right))
    return contents


def _unpickled(path: Path, file: Path | IO[bytes], *, trust: bool) -> object:
    """Unpickle a file, or what is read from it.

    Raises:
        CheckpointError: it is cut off or of another kind, or has objects that need trust.
    """
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(safe_types()):
            warnings.simplefilter("ignore", UserWarning)  # of foreign pickles: what they hold is refused below
            return torch.load(file, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        if trust:
            raise damaged_file(path, error) from error
        raise _untrusted(path, error) from error
    except (ImportError, AttributeError) as error:
        if not trust:
            raise damaged_file(path, error) from error
        raise CheckpointError(
            f"expected to find the classes that are pickled in {path}, got {error}: run from the folder that holds them"
        ) from error
    except Exception as error:  # of torch, or of the types that are built
        raise damaged_file(path, error) from error


def _near_file(path: Path) -> Path | None:
    """The one file beside a path whose name is nearly the same."""
    beside = [each.name for each in path.parent.iterdir() if each.is_file()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=2, cutoff=0.8)
    return path.with_name(near[0]) if len(near) == 1 else None


def _untrusted(path: Path, error: Exception) -> CheckpointError:
    names = _unsafe_names(path, error)
    missing = sorted({name.split(".")[0] for name in names} & {"omegaconf"})
    if missing and not _importable(missing[0]):
        return CheckpointError(
            f"expected the package {missing[0]} to read {path}, found none: pip install {missing[0]}"
        )
    shown = printable(", ".join(names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    what = (
        f"pickled Python objects beside its weights ({shown})" if names else "pickled Python objects beside its weights"
    )
    cut = "" if names else ", or is cut off"
    return CheckpointError(
        f"{path} holds {what}{cut}; loading them could run any code: "
        f"save it again with plain hyper-parameters (numbers, strings, lists), or {_TRUST}",
        words=("--trust-checkpoint",),
    )


def _unsafe_names(path: Path, error: Exception) -> list[str]:
    """Names of what a file would import beside what is safe, torch's own behind all others."""
    try:
        with torch.serialization.safe_globals(safe_types()):
            names = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # of the old format, or cut off: torch's message names the first one at least
        names = set(re.findall(r"GLOBAL ([\w.]+) was not an allowed", str(error)))
    return sorted(names, key=lambda name: (name.startswith(("torch.", "builtins.", "collections.")), name))


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None

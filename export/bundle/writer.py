# SPDX-License-Identifier: Apache-2.0
"""Write a bundle whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from export.bundle.model_card import model_card
from export.errors import UsageError
from export.graphs.shared_weights import WEIGHTS, share_weights
from lsood_runtime import Manifest

_MARK = "manifest.json"


def check_destination(out: Path, overwrite: bool) -> None:
    """Refuse a destination that could not be written to in the end, before the costly work begins.

    Raises:
        UsageError: the destination exists and may not be replaced, is no bundle, or its parent is missing or read-only.
    """
    if not out.parent.is_dir():
        raise UsageError(f"expected the folder {out.parent} to exist, it does not: make it, or choose another --out")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"expected to be able to write into {out.parent}, it is read-only: choose another --out")
    if not out.exists():
        return
    if not overwrite:
        raise UsageError(f"expected --out to be new, {out} exists: pass --overwrite to replace it")
    if not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).is_file()):
        raise UsageError(f"expected a bundle at {out} to overwrite, found something else: choose another --out")


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that takes its place once the block ends without an error.

    An interrupted block leaves ``out`` as it was.
    """
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        _replace(out, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(out: Path, new: Path) -> None:
    if not out.exists():
        new.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent)) / out.name
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bundle(folder: Path, facts: dict[str, Any], graphs: dict[str, ModelProto]) -> Manifest:
    """Graphs, card and manifest; each graph carries the facts too: the manifest without evaluation and digests.

    Several graphs hold the network: its weights lie in one file beside them.
    """
    with (folder / WEIGHTS).open("wb") as file:
        share_weights(graphs.values(), file)
    for name, graph in graphs.items():
        onnx.helper.set_model_props(graph, {"lsood_manifest": json.dumps(facts, allow_nan=False)})
        (folder / name).write_bytes(graph.SerializeToString())
    return seal_bundle(folder, facts | {"evaluation": {}})


def seal_bundle(folder: Path, facts: dict[str, Any]) -> Manifest:
    """Write the card, and last the manifest with a record of every file."""
    (folder / "README.md").write_text(model_card(facts))
    paths = [path for path in sorted(folder.iterdir()) if path.name != _MARK]
    files = {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths}
    manifest = Manifest.from_json(json.dumps(facts | {"files": files}, allow_nan=False))
    (folder / _MARK).write_text(manifest.to_json())
    return manifest

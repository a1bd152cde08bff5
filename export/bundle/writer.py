# SPDX-License-Identifier: Apache-2.0
"""Write the files of a bundle: graphs, model card, manifest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import onnx
from onnx import ModelProto

from export.bundle.evaluation_record import EvaluationRecord
from export.bundle.model_card import model_card
from export.errors import UsageError
from export.graphs.shared_weights import share_weights
from lsood_runtime import SCHEMA, Manifest
from lsood_runtime.offline import (
    DIGEST_FILE,
    FIRST_WITH_DIGEST,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    FileRecord,
    digest_line,
    open_bundle,
    sha256_hex,
)

CARD_FILE = "README.md"
"""The model card."""


def check_destination(out: Path, overwrite: bool) -> None:
    """Refuse a destination that is taken, before the costly work begins.

    Args:
        out: a place that :func:`export.destination.check_place` has let pass, as ``claimed`` does.
        overwrite: whether a bundle there may be replaced.

    Raises:
        UsageError: the destination exists and may not be replaced, or is no bundle.
    """
    if not out.exists():
        return
    if not overwrite:
        raise UsageError(f"expected --out to be new, {out} exists: pass --overwrite to replace it")
    if any(out.iterdir()) and not (out / MANIFEST_FILE).is_file():
        raise UsageError(f"expected a bundle at {out} to overwrite, found something else: choose another --out")


def write_bundle(folder: Path, manifest: Manifest, graphs: Mapping[str, ModelProto]) -> Manifest:
    """Write the graphs, the model card and, last, the manifest.

    Each graph carries the manifest in its metadata, without evaluation and digests. Several graphs hold the network: its
    weights lie in one file beside them. A bundle of an older schema becomes one of this.

    Args:
        folder: an empty or a temporary one.
        manifest: without records of files.
        graphs: by the names of their files; their large constants are moved out of them.

    Returns:
        The manifest as it was written.

    Raises:
        BundleError: the runtime would refuse the bundle, or a file is not what was written.
    """
    with (folder / WEIGHTS_FILE).open("wb") as file:
        share_weights(graphs.values(), file)
    manifest = replace(manifest, schema=SCHEMA)
    carried = {name: value for name, value in asdict(manifest).items() if name not in ("evaluation", "files")}
    for name, graph in graphs.items():
        onnx.helper.set_model_props(graph, {"lsood_manifest": json.dumps(carried, allow_nan=False)})
        (folder / name).write_bytes(graph.SerializeToString(deterministic=True))
    return seal_bundle(
        folder,
        replace(
            manifest, files={path.name: FileRecord(sha256(path), path.stat().st_size) for path in folder.iterdir()}
        ),
    )


def seal_bundle(folder: Path, manifest: Manifest, evaluation: EvaluationRecord | None = None) -> Manifest:
    """Write the model card and, last, the manifest and its digest; then read all of it back as the runtime does.

    Args:
        folder: holds all files of the bundle but these.
        manifest: records every other file; its evaluation and its record of the card are replaced.
        evaluation: figures for manifest and card; None where the bundle was not evaluated yet.

    Returns:
        The manifest as it was written.

    Raises:
        BundleError: a file is not, or is no longer, what the manifest records.
    """
    card = model_card(manifest, evaluation).encode()
    (folder / CARD_FILE).write_bytes(card)
    sealed = replace(
        manifest,
        evaluation={} if evaluation is None else asdict(evaluation),
        files=dict(sorted({**manifest.files, CARD_FILE: FileRecord(sha256_hex(card), len(card))}.items())),
    )
    contents = sealed.to_json().encode()
    (folder / MANIFEST_FILE).write_bytes(contents)
    if sealed.schema >= FIRST_WITH_DIGEST:
        (folder / DIGEST_FILE).write_bytes(digest_line(contents))
    return open_bundle(folder, expected_sha256=sha256_hex(contents)).manifest


def sha256(path: Path) -> str:
    """Compute the SHA-256 digest of a file, in hex, in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

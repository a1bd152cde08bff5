# SPDX-License-Identifier: Apache-2.0
"""Bundles that are damaged, tampered with or not whole."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lsood_runtime import BundleError, OoDMonitor, read_manifest
from tests.lsood_runtime.conftest import (
    random_frames,
    seal,
    segmentation_graph,
    toy_manifest,
    write_golden,
    write_manifest,
)

FILES = ("segmentation.onnx", "detector.onnx", "golden.npz", "README.md")


@pytest.mark.parametrize("name", FILES)
def test_bundle_file_with_a_flipped_bit_is_refused(toy_bundle: Path, name: str) -> None:
    path = toy_bundle / name
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    with pytest.raises(
        BundleError, match=rf"expected {name} with sha256 \w{{12}}.*, got \w{{12}}.*changed after export"
    ):
        OoDMonitor(toy_bundle)


@pytest.mark.parametrize("name", FILES)
def test_bundle_file_cut_off_is_refused(toy_bundle: Path, name: str) -> None:
    contents = (toy_bundle / name).read_bytes()
    (toy_bundle / name).write_bytes(contents[:-3])
    expected = f"expected {name} to have {len(contents)} bytes, got {len(contents) - 3}"
    with pytest.raises(BundleError, match=expected):
        OoDMonitor(toy_bundle)


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.sha256"])
def test_bundle_file_missing_is_named(toy_bundle: Path, name: str) -> None:
    (toy_bundle / name).unlink()
    with pytest.raises(BundleError, match=name):
        OoDMonitor(toy_bundle)


@pytest.mark.parametrize("name", ["segmentation.onnx", "detector.onnx", "golden.npz"])
def test_bundle_file_not_in_the_manifest_is_not_loaded(toy_bundle: Path, name: str) -> None:
    manifest = json.loads((toy_bundle / "manifest.json").read_text())
    del manifest["files"][name]
    write_manifest(toy_bundle, json.dumps(manifest).encode())
    with pytest.raises(BundleError, match=f"expected the manifest to record {name}"):
        OoDMonitor(toy_bundle)


def test_read_manifest_no_bundle_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"expected a bundle folder or archive, found none at .*nowhere"):
        OoDMonitor(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"found no manifest\.json"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "..", ".", "", "a/b", "a\\b"])
def test_bundle_file_name_leading_outside_is_refused(toy_bundle: Path, name: str) -> None:
    secret = toy_bundle.parent / "secret"
    secret.write_text("secret")
    record = {"sha256": hashlib.sha256(b"secret").hexdigest(), "bytes": 6}
    manifest = json.loads((toy_bundle / "manifest.json").read_text())
    manifest["files"] = {name: record} | manifest["files"]
    write_manifest(toy_bundle, json.dumps(manifest).encode())
    with pytest.raises(BundleError, match="expected plain file names"):
        OoDMonitor(toy_bundle)


def test_bundle_file_link_to_the_outside_is_refused(toy_bundle: Path) -> None:
    outside = toy_bundle.parent / "outside.onnx"
    (toy_bundle / "detector.onnx").rename(outside)
    (toy_bundle / "detector.onnx").symlink_to(outside)
    with pytest.raises(BundleError, match=r"detector\.onnx to be a file of the bundle, it is a link"):
        OoDMonitor(toy_bundle)


def test_bundle_folder_link_loads(toy_bundle: Path) -> None:
    link = toy_bundle.parent / "current"
    link.symlink_to(toy_bundle)
    with OoDMonitor(link) as linked, OoDMonitor(toy_bundle) as direct:
        assert linked.manifest == direct.manifest


def weights_outside(bundle: Path, location: str) -> bytes:
    """Let the graph read its masks from a file; the file's contents come back."""
    model = onnx.load_from_string(segmentation_graph("classes"))
    (masks,) = (tensor for tensor in model.graph.initializer if tensor.name == "masks")
    contents: bytes = masks.raw_data
    masks.ClearField("raw_data")
    masks.data_location = onnx.TensorProto.EXTERNAL
    masks.external_data.add(key="location", value=location)
    (bundle / "segmentation.onnx").write_bytes(model.SerializeToString())
    return contents


def test_weights_in_their_file_are_verified_and_read(toy_bundle: Path) -> None:
    frame = random_frames(1, 3)[0]
    expected = OoDMonitor(toy_bundle).score(frame)
    contents = weights_outside(toy_bundle, "weights.bin")
    (toy_bundle / "weights.bin").write_bytes(contents)
    assert OoDMonitor(seal(toy_bundle, toy_manifest())).score(frame) == expected
    (toy_bundle / "weights.bin").write_bytes(contents[:-1] + b"\0")
    with pytest.raises(BundleError, match=r"weights\.bin with sha256"):
        OoDMonitor(toy_bundle)


@pytest.mark.parametrize("location", ["weights.bin", "other.bin", "../weights.bin", "sub/weights.bin"])
@pytest.mark.parametrize("where", [".", "..", "sub"])
def test_weights_without_a_digest_are_refused(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, location: str, where: str
) -> None:
    """Such a file is never read, wherever it lies; a bundle of schema 4 is refused before, for having it."""
    contents = weights_outside(toy_bundle, location)
    sealed = seal(toy_bundle, toy_manifest() | {"schema": 3})
    (sealed / "sub").mkdir()
    for name in ("weights.bin", "other.bin"):
        (sealed / where / name).write_bytes(contents)
    monkeypatch.chdir(sealed / where)
    with pytest.raises(BundleError, match=r"cannot load segmentation\.onnx: "):
        OoDMonitor(sealed)


@pytest.mark.parametrize(
    ("frames", "scores", "message"),
    [
        (random_frames(0, 0), [], "expected golden frames"),
        (random_frames(1, 0).astype(np.float32), [1.0], r"got \(1, 6, 8, 3\) float32"),
        (random_frames(1, 0)[:, :5], [1.0], r"got \(1, 5, 8, 3\) uint8"),
        (random_frames(2, 0), [1.0], "expected 2 float64 scores"),
        (random_frames(1, 0), np.array([1.0], np.float32), r"got \(1,\) float32"),
        (random_frames(1, 0), np.array([{}], object), "expected golden.npz to hold frames and scores, got ValueError"),
    ],
)
def test_golden_arrays_of_another_form_are_refused(toy_bundle: Path, frames: Any, scores: Any, message: str) -> None:
    write_golden(toy_bundle, frames, scores)
    with pytest.raises(BundleError, match=message):
        OoDMonitor(seal(toy_bundle, toy_manifest()))


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 torn", b"\x93NUMPY torn", b"text"])
def test_golden_file_without_an_archive_is_refused(toy_bundle: Path, contents: bytes) -> None:
    (toy_bundle / "golden.npz").write_bytes(contents)
    with pytest.raises(BundleError, match=r"expected golden\.npz to hold frames and scores"):
        OoDMonitor(seal(toy_bundle, toy_manifest()))


def test_manifest_not_text_is_refused(make_bundle: Callable[..., Path]) -> None:
    bundle = make_bundle()
    write_manifest(bundle, b"\xff\xfe\x00{")
    with pytest.raises(BundleError, match="expected the manifest to be JSON"):
        OoDMonitor(bundle)


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.sha256"])
def test_bundle_file_unreadable_is_named(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    opened = os.open

    def refuse(path: Any, *arguments: Any, **named: Any) -> int:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BundleError, match=rf"expected to read .*{name}, got Permission denied: check its permissions"):
        OoDMonitor(toy_bundle)


def test_bundle_file_name_that_the_system_refuses_is_named(toy_bundle: Path) -> None:
    manifest = json.loads((toy_bundle / "manifest.json").read_text())
    manifest["files"]["x" * 300] = {"sha256": "0" * 64, "bytes": 1}
    write_manifest(toy_bundle, json.dumps(manifest).encode())
    with pytest.raises(BundleError, match=r"expected to find .*xxx, got File name too long: export the bundle again"):
        OoDMonitor(toy_bundle)

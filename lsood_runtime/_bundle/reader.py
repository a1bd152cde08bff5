# SPDX-License-Identifier: Apache-2.0
"""Read a bundle from its folder or archive: the bytes that were hashed are the bytes that are loaded."""

import os
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lsood_runtime._arguments import check_path
from lsood_runtime._bundle.bundle_files import BundleFiles, open_files
from lsood_runtime._bundle.digests import (
    DIGEST_FILE,
    MANIFEST_FILE,
    check_digest_file,
    check_expected_digest,
    digest_line,
    sha256_hex,
)
from lsood_runtime._bundle.files import (
    DETECTOR_FILE,
    GOLDEN_FILE,
    LARGEST_FILE,
    LARGEST_MANIFEST,
    MOST_VALUES,
    SEGMENTATION_FILE,
    SIGNATURE_FILE,
    WEIGHTS_FILE,
    check_digest,
    check_plain_name,
)
from lsood_runtime._bundle.golden import GoldenFrames, parse_golden
from lsood_runtime._bundle.graph_check import check_graph
from lsood_runtime._bundle.manifest import FIRST_WITH_DIGEST, Manifest
from lsood_runtime._bundle.signature import LARGEST_SIGNATURE, check_signed, verified_signature
from lsood_runtime._exceptions import BundleError

VEHICLE_GRAPHS = (SEGMENTATION_FILE, DETECTOR_FILE)
"""Graphs that :class:`lsood_runtime.OoDMonitor` loads."""

_BESIDE = {MANIFEST_FILE, DIGEST_FILE, SIGNATURE_FILE}
"""Files that the manifest cannot record: itself, and what is made of it."""


@dataclass(frozen=True, slots=True)
class SealedManifest:
    """A manifest with the digest of the bytes that it was parsed from.

    Attributes:
        manifest: parsed.
        contents: its bytes, as they were read and verified.
        sha256: of them, in hex.
        has_digest_file: whether :data:`DIGEST_FILE` lies beside it, and states that digest.
    """

    manifest: Manifest
    contents: bytes
    sha256: str
    has_digest_file: bool


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle in memory.

    Attributes:
        sealed: its metadata, and the digest of their bytes.
        files: verified bytes of every file that the manifest records, by name.
        golden: frames with their scores at export.
        signature: bytes of its signature, where a key was given by which they were verified.
    """

    sealed: SealedManifest
    files: dict[str, bytes]
    golden: GoldenFrames
    signature: bytes | None = None

    @property
    def manifest(self) -> Manifest:
        """Its metadata."""
        return self.sealed.manifest

    @property
    def segmentation(self) -> bytes:
        """The graph from frame to segmentation and features."""
        return self.files[SEGMENTATION_FILE]

    @property
    def detector(self) -> bytes:
        """The graph from features to the score, to entropies and to parts where it has any."""
        return self.files[DETECTOR_FILE]

    @property
    def weights(self) -> dict[str, bytes]:
        """Constants of both graphs that lie in a file of their own, by the file's name; often empty."""
        return {name: contents for name, contents in self.files.items() if name == WEIGHTS_FILE}


def read_manifest(folder: str | os.PathLike[str], *, expected_sha256: str | None = None) -> Manifest:
    """Parse the manifest of the bundle in ``folder``, without looking at the other files but its digest.

    Args:
        folder: of the bundle, or a ``.zip`` or ``.tar`` of it.
        expected_sha256: digest of the manifest's bytes in hex, as ``lsood inspect`` prints it; None takes any.

    Raises:
        TypeError: no path.
        BundleError: no bundle there, a manifest that this version cannot read, or another one than its digest says.
        ValueError: ``expected_sha256`` is no digest.
    """
    with open_files(_checked_path(folder)) as files:
        return read_sealed_manifest(files, expected_sha256).manifest


def read_sealed_manifest(files: BundleFiles, expected_sha256: str | None = None) -> SealedManifest:
    """Read the manifest once, compare its bytes with their digests, and parse them.

    Raises:
        BundleError: as for :func:`read_manifest`.
    """
    if not files.holds(MANIFEST_FILE):
        raise BundleError(
            f"expected a bundle, found no {MANIFEST_FILE} in {files.place}: give the folder that export wrote"
        )
    contents = files.read(MANIFEST_FILE, LARGEST_MANIFEST)
    if contents.count(b",") > MOST_VALUES:
        raise BundleError(
            f"expected {MANIFEST_FILE} to have at most {MOST_VALUES} values, got more: it was replaced, copy the bundle again"
        )
    if expected_sha256 is not None:
        check_expected_digest(expected_sha256, contents)
    has_digest_file = files.holds(DIGEST_FILE)
    if has_digest_file:
        check_digest_file(files.read(DIGEST_FILE, len(digest_line(contents))), contents)
    manifest = Manifest.from_json(contents)
    if manifest.schema >= FIRST_WITH_DIGEST and not has_digest_file:
        raise BundleError(
            f"expected {DIGEST_FILE} beside a manifest of schema {manifest.schema}, it is missing: copy the whole bundle"
        )
    return SealedManifest(manifest, contents, sha256_hex(contents), has_digest_file)


def open_bundle(
    folder: str | os.PathLike[str],
    loaded: Collection[str] | None = None,
    *,
    expected_sha256: str | None = None,
    public_key: str | os.PathLike[str] | None = None,
) -> Bundle:
    """Read and verify every file of the bundle in ``folder``.

    Args:
        folder: of the bundle, or a ``.zip`` or ``.tar`` of it, which is read as it lies and never unpacked to disk.
        loaded: graphs that the caller will load, whose operators are checked; None for all.
        expected_sha256: as for :func:`read_manifest`.
        public_key: PEM file of the key that must have signed the bundle; None takes one without a signature as well.

    Raises:
        TypeError: no path.
        BundleError: the bundle is not signed with that key, a file is missing, damaged, or outside the bundle, or the
            manifest cannot be read; from schema 4 on also where the folder holds a file that the manifest does not record.
        ValueError: ``expected_sha256`` is no digest.
    """
    with open_files(_checked_path(folder)) as files:
        return read_bundle(files, loaded, expected_sha256=expected_sha256, public_key=public_key)


def read_bundle(
    files: BundleFiles,
    loaded: Collection[str] | None = None,
    *,
    expected_sha256: str | None = None,
    public_key: str | os.PathLike[str] | None = None,
) -> Bundle:
    """Read and verify every file of a bundle; arguments and errors as for :func:`open_bundle`, which opens it."""
    sealed = read_sealed_manifest(files, expected_sha256)
    manifest = sealed.manifest
    signature = None
    if public_key is not None:
        key = check_path(public_key, "the path of a public key", "pass its PEM file, or None")
        verified = verified_signature(files, Path(key))
        check_signed(verified.digests, digests_to_sign(sealed))
        signature = verified.contents
    for name in (SEGMENTATION_FILE, DETECTOR_FILE, GOLDEN_FILE):
        if name not in manifest.files:
            raise BundleError(f"expected the manifest to record {name}, it does not: export the bundle again")
    if manifest.schema >= FIRST_WITH_DIGEST:
        _refuse_others(files, manifest)
    graphs = [name for name in manifest.files if name.endswith(".onnx")] if loaded is None else loaded
    contents = _read_files(files, manifest, graphs)
    golden = parse_golden(contents[GOLDEN_FILE], manifest)
    return Bundle(sealed=sealed, files=contents, golden=golden, signature=signature)


def every_file(bundle: Bundle, files: BundleFiles) -> dict[str, bytes]:
    """Bytes of every file of a bundle by name: what was verified, and where no key was given the signature as it lies there.

    Raises:
        BundleError: the signature cannot be read.
    """
    own = {MANIFEST_FILE: bundle.sealed.contents}
    if bundle.sealed.has_digest_file:
        own[DIGEST_FILE] = digest_line(bundle.sealed.contents)
    if bundle.signature is not None:
        own[SIGNATURE_FILE] = bundle.signature
    elif files.holds(SIGNATURE_FILE):
        own[SIGNATURE_FILE] = files.read(SIGNATURE_FILE, LARGEST_SIGNATURE)
    return bundle.files | own


def digests_to_sign(sealed: SealedManifest) -> dict[str, str]:
    """SHA-256 in hex of every file of a bundle by name: of the manifest, its digest file, and what it records."""
    line = f"{sealed.sha256}  {MANIFEST_FILE}\n".encode()
    own = {DIGEST_FILE: sha256_hex(line)} if sealed.has_digest_file else {}
    return (
        {name: record.sha256 for name, record in sealed.manifest.files.items()} | own | {MANIFEST_FILE: sealed.sha256}
    )


def _checked_path(folder: str | os.PathLike[str]) -> Path:
    return Path(check_path(folder, "the path of a bundle", "pass the folder that export wrote, or its .zip or .tar"))


def _read_files(files: BundleFiles, manifest: Manifest, graphs: Collection[str]) -> dict[str, bytes]:
    """Read and verify every file of the manifest; digests are computed beside the check of operators, which takes as long.

    Args:
        files: of the bundle.
        manifest: of the bundle.
        graphs: whose operators are checked.

    Raises:
        BundleError: a file is missing, damaged or outside the bundle, or a graph has what no export writes.
    """
    contents = dict[str, bytes]()
    with ThreadPoolExecutor(1, "digests") as beside:
        digests = list[Future[None]]()
        for name, record in manifest.files.items():
            check_plain_name(name)
            contents[name] = files.read(name, LARGEST_FILE, length=record.bytes)
            digests.append(beside.submit(check_digest, name, contents[name], record))
        try:
            for name in graphs:
                check_graph(name, contents[name])
        finally:
            for digest in digests:
                digest.result()  # of a changed file that is said, not what its bytes mean by chance
    return contents


def _refuse_others(files: BundleFiles, manifest: Manifest) -> None:
    """Refuse what the manifest does not record: another program, such as one in C++, could take it for the bundle's."""
    other = next((name for name in files.names() if name not in _BESIDE | manifest.files.keys()), None)
    if other is not None:
        raise BundleError(
            f"expected in {files.place} the files that its manifest records and no other, got {other!r}: move it elsewhere"
        )

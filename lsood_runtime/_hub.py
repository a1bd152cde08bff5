# SPDX-License-Identifier: Apache-2.0
"""Bundles on the Hugging Face hub: what is pushed was verified before, and what is pulled before it takes its place."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsood_runtime._arguments import check_flag, check_path, check_text
from lsood_runtime._bundle.bundle_files import open_files
from lsood_runtime._bundle.digests import DIGEST_FILE, MANIFEST_FILE, digest_line, parse_digest
from lsood_runtime._bundle.files import (
    LARGEST_FILE,
    LARGEST_MANIFEST,
    SIGNATURE_FILE,
    check_length,
    check_plain_name,
    missing_file,
)
from lsood_runtime._bundle.reader import every_file, open_bundle, read_bundle, read_sealed_manifest
from lsood_runtime._bundle.records import FileRecord
from lsood_runtime._bundle.signature import LARGEST_SIGNATURE
from lsood_runtime._exceptions import BundleError, LsoodError, MediaError, missing_extra, one_line
from lsood_runtime._new_folder import check_new_folder, check_room, new_folder
from lsood_runtime._version import __version__

_OWN = {MANIFEST_FILE: LARGEST_MANIFEST, DIGEST_FILE: len(digest_line(b"")), SIGNATURE_FILE: LARGEST_SIGNATURE}
"""Files that the manifest does not record, with the bytes that each has at most."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

_REMEDIES = {
    "HFValidationError": ("a name or a revision that it does not take", "correct it"),
    "GatedRepoError": (
        "a repository that asks for consent",
        "ask for access on its page, and log in by `hf auth login`",
    ),
    "RepositoryNotFoundError": ("none that may be read", "check the name; if it is private, log in by `hf auth login`"),
    "RevisionNotFoundError": ("no such revision", "name a branch, a tag or a commit of it"),
    "OfflineModeIsEnabled": ("HF_HUB_OFFLINE, which forbids the network", "unset it"),
}
"""By the name of an error of the hub's client: what was found, and what to do."""

_PARENT_IS_OLD = 412
"""HTTP status of a commit upon one that is no longer the newest."""


@dataclass(frozen=True, slots=True)
class HubBundle:
    """A bundle at one commit of a repository on the hub.

    Attributes:
        name: of the repository, with its organisation or user.
        revision: SHA of the commit, in hex; a branch moves, this does not.
        sha256: of the manifest in hex, which covers every file.
    """

    name: str
    revision: str
    sha256: str


def pull_bundle(
    name: str,
    out: str | os.PathLike[str],
    *,
    revision: str | None = None,
    expected_sha256: str | None = None,
    public_key: str | os.PathLike[str] | None = None,
) -> HubBundle:
    """Download a bundle from the Hugging Face hub and verify it, into a new folder, whole or not at all.

    Only files that the manifest records are fetched, with the manifest's digest and the signature.

    Args:
        name: of the repository, such as ``org/monitor``.
        out: the new folder of the bundle.
        revision: branch, tag or commit; None for the default branch.
        expected_sha256: digest that the bundle's manifest must have; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.

    Returns:
        The commit that the revision stood for, and the digest of the manifest.

    Raises:
        TypeError: no text or path; ValueError: ``expected_sha256`` is no digest.
        BundleError: there is no bundle, it is damaged, another one, or not signed with the key.
        MediaError: the hub does not give it, the folder cannot be written, or the extra ``hub`` is not installed.
    """
    _check_name(name)
    place = Path(check_path(out, "the path of a new folder", "pass where the bundle shall lie"))
    if revision is not None:
        check_text(revision, "a branch, a tag or a commit", "pass its name, or None")
    if expected_sha256 is not None:
        parse_digest(expected_sha256)
    if public_key is not None:
        check_path(public_key, "the path of a public key", "pass its PEM file, or None")
    check_new_folder(place)
    hub = _client()
    with _told(name):
        commit = hub.repo_info(name, revision=revision).sha
    with new_folder(place) as whole:
        try:
            _download(hub, name, commit, whole, place, expected_sha256)
            bundle = open_bundle(whole, expected_sha256=expected_sha256, public_key=public_key)
        except BundleError as error:  # the folder is gone once that is read
            raise BundleError(str(error).replace(str(whole), f"{name} at {commit}")) from error
    return HubBundle(name, commit, bundle.sealed.sha256)


def push_bundle(
    bundle: str | os.PathLike[str],
    name: str,
    *,
    public: bool = False,
    expected_sha256: str | None = None,
    public_key: str | os.PathLike[str] | None = None,
) -> HubBundle:
    """Verify a bundle and upload it to the Hugging Face hub as one commit; a repository is made where there is none.

    Args:
        bundle: its folder, or an archive of it; the bytes that were verified are uploaded.
        name: of the repository, such as ``org/monitor``; one that is there must hold a bundle, or nothing.
        public: whether everybody may read a repository that is made; one that is there stays as it is.
        expected_sha256: digest that the bundle's manifest must have; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.

    Returns:
        The commit, and the digest of the manifest.

    Raises:
        TypeError: no text, path or truth value; ValueError: ``expected_sha256`` is no digest.
        BundleError: the bundle is damaged, another one, or not signed with the key.
        MediaError: the hub does not take it, the repository holds something else, or the extra ``hub`` is not installed.
    """
    source = Path(check_path(bundle, "the path of a bundle", "pass the folder that export wrote, or its .zip or .tar"))
    _check_name(name)
    check_flag(public, "public")
    with open_files(source) as files:
        read = read_bundle(files, expected_sha256=expected_sha256, public_key=public_key)
        contents = every_file(read, files)
    hub = _client()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with _told(name):
        hub.create_repo(name, private=not public, exist_ok=True)
        info = hub.repo_info(name)
        there = {file.rfilename for file in info.siblings or ()} - {".gitattributes"}
        if there and MANIFEST_FILE not in there:
            raise MediaError(
                f"expected a repository with a bundle, or an empty one, got {name}, which holds {min(there)!r}: name "
                "another one"
            )
        changes: list[Any] = [CommitOperationAdd(each, contents[each]) for each in sorted(contents)]
        if SIGNATURE_FILE in there - contents.keys():  # it does not hold for this bundle
            changes.append(CommitOperationDelete(SIGNATURE_FILE))
        message = f"Bundle with manifest {read.sealed.sha256[:12]}"
        commit = hub.create_commit(name, changes, commit_message=message, parent_commit=info.sha).oid
    return HubBundle(name, commit, read.sealed.sha256)


def _check_name(name: str) -> None:
    check_text(name, "the name of a repository on the hub", "pass ORGANISATION/NAME")
    if not _NAME.fullmatch(name):
        raise MediaError(f"expected ORGANISATION/NAME of a repository on the hub, got {name!r}: name it so")


def _client() -> Any:
    """The hub's client: its server, token and cache are as the environment says."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_extra("the Hugging Face hub", "hub") from error
    server = os.environ.get("HF_ENDPOINT") or None
    return HfApi(endpoint=server, library_name="lsood-runtime", library_version=__version__)


def _download(hub: Any, name: str, commit: str, folder: Path, place: Path, expected_sha256: str | None) -> None:
    """Download the manifest and what lies beside it, and the other files once their lengths are those that it records.

    Raises:
        BundleError: there is no manifest, or another one than expected, or a file of another length.
    """
    sizes = _sizes(hub, name, commit, list(_OWN))
    if MANIFEST_FILE not in sizes:
        raise BundleError(f"expected a bundle at {name}, found no {MANIFEST_FILE}: check the name and the revision")
    for each, size in sizes.items():
        check_length(each, size, _OWN[each], None)
    _fetch(hub, name, commit, folder, list(sizes))
    with open_files(folder) as files:
        records = read_sealed_manifest(files, expected_sha256).manifest.files
    _check_files(folder, _sizes(hub, name, commit, list(records)), records)
    check_room(place, sum(record.bytes for record in records.values()))
    _fetch(hub, name, commit, folder, list(records))


def _check_files(folder: Path, sizes: dict[str, int], records: dict[str, FileRecord]) -> None:
    for each, record in records.items():
        check_plain_name(each)
        if each not in sizes:
            raise missing_file(each, folder)
        check_length(each, sizes[each], LARGEST_FILE, record.bytes)


def _sizes(hub: Any, name: str, commit: str, files: list[str]) -> dict[str, int]:
    """Bytes of those files that there are."""
    with _told(name):
        return {
            found.path: found.size for found in hub.get_paths_info(name, files, revision=commit) if found.path in files
        }


def _fetch(hub: Any, name: str, commit: str, folder: Path, files: list[str]) -> None:
    """Download files into a folder, which gets nothing else."""
    beside = folder / ".download"
    for each in files:
        with _told(name):
            fetched = hub.hf_hub_download(name, each, revision=commit, local_dir=beside)
        Path(fetched).replace(folder / each)
    shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the hub's client raises into one line."""
    try:
        yield
    except LsoodError:
        raise
    except Exception as error:  # its own errors, those of its HTTP client, OSError, ValueError
        if getattr(getattr(error, "response", None), "status_code", None) == _PARENT_IS_OLD:
            raise MediaError(f"expected {name} as it was a moment ago, got a newer commit: push again") from error
        own = type(error) is RuntimeError and error.__cause__  # the client's, around that of an upload of a large file
        cause = own or error
        named = [each.__name__ for each in type(cause).__mro__]
        found = next((_REMEDIES[each] for each in named if each in _REMEDIES), None)
        what, remedy = found or (
            f"{type(cause).__name__} ({_without_queries(one_line(cause))[:300]})",
            "check the network and try again",
        )
        raise MediaError(f"expected the repository {name} on the hub, got {what}: {remedy}") from error


def _without_queries(text: str) -> str:
    """The text without what follows the question mark of an address, which may hold a signature that lets others in."""
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1?...", text)

# SPDX-License-Identifier: Apache-2.0
"""Read the PEM file of a key, and say in one line what another file holds and how a right one is made."""

import re
import stat
from enum import Enum
from pathlib import Path

from lsood_runtime._bundle.files import read_file
from lsood_runtime._exceptions import BundleError

LARGEST_KEY = 2**20
"""Bytes of a file with a key, at most."""

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")


class KeyKind(Enum):
    """Which of a pair of keys is asked for: what it is called, and the remedy where a file holds none."""

    PRIVATE = (
        "private",
        "give the one that signs, or make one by `openssl ecparam -name prime256v1 -genkey -noout -out key.pem`",
    )
    PUBLIC = (
        "public",
        "give that of the key that signs, which `openssl ec -in key.pem -pubout -out public.pem` writes",
    )

    @property
    def words(self) -> str:
        """What is expected."""
        return f"an elliptic {self.value[0]} key of P-256, P-384 or P-521 in PEM"

    @property
    def remedy(self) -> str:
        """What to do where it is not there."""
        return self.value[1]


def read_key_file(path: Path, kind: KeyKind) -> bytes:
    """Read a file that should hold a key.

    Raises:
        BundleError: there is none, or it cannot be read.
    """
    try:
        return read_file(path, LARGEST_KEY, follow_link=True)
    except BundleError as error:
        raise BundleError(f"expected {kind.words}, got {_found(path)} at {path}: {kind.remedy}") from error


def no_key(path: Path, kind: KeyKind, contents: bytes) -> BundleError:
    """The error of a file that holds no such key."""
    label = _LABEL.search(contents)
    if label is None:
        found = "no PEM" if contents else "an empty file"
    elif label[1].endswith(b"PRIVATE KEY"):
        found = "a private key" + (
            " that is damaged" if kind is KeyKind.PRIVATE else ", which stays where bundles are signed"
        )
    elif label[1].endswith(b"PUBLIC KEY"):
        found = "a public key" + (" that is damaged" if kind is KeyKind.PUBLIC else "")
    else:
        found = f"a PEM of {label[1].decode().lower()}"
    return other_key(path, kind, found)


def other_key(path: Path, kind: KeyKind, found: str) -> BundleError:
    """The error of a file that holds something else, in words."""
    return BundleError(f"expected {path} to hold {kind.words}, got {found}: {kind.remedy}")


def _found(path: Path) -> str:
    """What the file system has in place of a file that can be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return "no file"
    except (OSError, ValueError):
        return "what cannot be reached"
    if stat.S_ISDIR(status.st_mode):
        return "a folder"
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    return f"{status.st_size:,} bytes" if status.st_size > LARGEST_KEY else "a file that cannot be read"

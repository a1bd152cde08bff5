# SPDX-License-Identifier: Apache-2.0
"""SHA-256 digests: of a bundle's manifest, in a file beside it or as the caller expects it, and of the other files.

The manifest holds the digest of every other file, so that its own covers the whole bundle.
"""

import hashlib
import re

from lsood_runtime._exceptions import BundleError

MANIFEST_FILE, DIGEST_FILE = "manifest.json", "manifest.sha256"

_HEX = re.compile(r"[0-9a-f]{64}")


def sha256_hex(contents: bytes) -> str:
    """Compute the SHA-256 digest of bytes, in hex."""
    return hashlib.sha256(contents).hexdigest()


def is_sha256(text: str) -> bool:
    """Whether a text is 64 lower-case hexadecimal digits."""
    return _HEX.fullmatch(text) is not None


def digest_line(manifest: bytes) -> bytes:
    """The contents of ``manifest.sha256``: the line that ``sha256sum manifest.json`` prints, and ``sha256sum -c`` reads."""
    return f"{sha256_hex(manifest)}  {MANIFEST_FILE}\n".encode()


def check_digest_file(line: bytes, manifest: bytes) -> None:
    """Compare the contents of ``manifest.sha256`` with the manifest, byte for byte.

    Raises:
        BundleError: they differ.
    """
    expected = digest_line(manifest)
    if line != expected:
        raise BundleError(
            f"expected {DIGEST_FILE} to be the line that sha256sum prints of {MANIFEST_FILE}, {expected[:12].decode()}..., "
            "it is another: one of the two was changed after export, copy the bundle again"
        )


def parse_digest(text: str) -> str:
    """A digest that a caller gives, in lower case.

    Raises:
        ValueError: no digest.
    """
    digest = text.lower() if isinstance(text, str) else ""
    if not is_sha256(digest):
        raise ValueError(f"expected a sha256 of 64 hexadecimal digits, got {text!r}: pass what `lsood inspect` prints")
    return digest


def check_expected_digest(expected_sha256: str, manifest: bytes) -> None:
    """Compare the manifest with the digest that the caller expects.

    Raises:
        ValueError: no digest.
        BundleError: the manifest is another one.
    """
    expected, digest = parse_digest(expected_sha256), sha256_hex(manifest)
    if digest != expected:
        raise BundleError(
            f"expected the bundle whose manifest has sha256 {expected[:12]}..., got {digest[:12]}...: this is another "
            "bundle, or it was changed; install the one that was approved"
        )

# SPDX-License-Identifier: Apache-2.0
"""``lsood sign``: verify a bundle and write its signature beside its manifest."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lsood_runtime._bundle.files import SIGNATURE_FILE, read_file
from lsood_runtime._bundle.reader import digests_to_sign, open_bundle
from lsood_runtime._bundle.signature import LARGEST_SIGNATURE, sign_files
from lsood_runtime._cli.arguments import Commands, add_command, add_expected_digest
from lsood_runtime._cli.terminal import tell
from lsood_runtime._destination import is_read
from lsood_runtime._exceptions import BundleError, MediaError
from lsood_runtime._partial_file import PartialFile

_VARIABLE = "LSOOD_KEY_PASSWORD"

_EPILOG = """\
The signature is in the format of OpenSSF Model Signing, in BUNDLE/model.sig; `lsood verify` and the library model-signing
verify it. The key is an elliptic one of P-256, P-384 or P-521, in PEM:

  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out public.pem

The password of an encrypted key is the first line of --password-file, or LSOOD_KEY_PASSWORD in the environment; without
either it is asked for where a person is there to answer.

exit codes: 0 signed, 2 bad usage, bundle or key

example:
  lsood sign monitor/ --key key.pem
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "sign", run, "sign a bundle with a private key", _EPILOG)
    parser.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    parser.add_argument("--key", type=Path, required=True, metavar="PEM", help="file of the private key")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its first line is the password of an encrypted key"
    )
    add_expected_digest(parser)


def run(options: argparse.Namespace) -> int:
    """Sign what was verified; an older signature is replaced."""
    also_read = [] if options.password_file is None else [options.password_file]
    signed = sign(Path(options.bundle), options.key, lambda: _password(options), options.expected_sha256, also_read)
    tell(f"signed {signed} files of {Path(options.bundle)}")
    return 0


def sign(
    folder: Path,
    key: Path,
    ask_password: Callable[[], bytes],
    expected_sha256: str | None = None,
    also_read: Sequence[Path] = (),
) -> int:
    """Verify a bundle, write its signature beside its manifest, whole or not at all, and count the files that it is of.

    Args:
        folder: of the bundle.
        key: PEM file of the private key.
        ask_password: called where the key is encrypted.
        expected_sha256: that the manifest must have; None for any.
        also_read: files that the signature may not replace.

    Raises:
        BundleError: the bundle is damaged or another one, or the key cannot be used.
        MediaError: the signature cannot be written, or would replace the key.
    """
    if os.path.isfile(folder):  # noqa: PTH113  of a name that no file system takes it is False as well
        raise BundleError(
            f"expected the folder of a bundle, got the file {folder}: sign the folder, and pack it anew by `lsood pack`"
        )
    if is_read(folder / SIGNATURE_FILE, [key, *also_read]):
        raise MediaError(
            f"expected the key outside the bundle, got it at {folder / SIGNATURE_FILE}, which the signature replaces: move it"
        )
    digests = digests_to_sign(open_bundle(folder, expected_sha256=expected_sha256).sealed)
    signature = sign_files(folder.resolve().name, digests, key, ask_password)
    try:
        partial = PartialFile(folder / SIGNATURE_FILE)
        try:
            partial.file.write(signature)
            partial.move_into_place()
        except BaseException:
            partial.discard()
            raise
    except OSError as error:
        raise MediaError(
            f"expected to write {folder / SIGNATURE_FILE}, got {error.strerror}: check its folder"
        ) from error
    return len(digests)


def _password(options: argparse.Namespace) -> bytes:
    """The password of the key, from a file, the environment or the terminal."""
    if options.password_file is not None:
        try:
            return read_file(options.password_file, LARGEST_SIGNATURE, follow_link=True).split(b"\n")[0].rstrip(b"\r")
        except BundleError as error:
            raise BundleError(f"cannot read the password of the key: {error}") from error
    if (password := os.environ.get(_VARIABLE)) is not None:
        return password.encode()
    if not sys.stdin.isatty():
        raise BundleError(
            f"expected the password of the key in {options.key}, got none: give --password-file, or set {_VARIABLE}"
        )
    return getpass.getpass(f"password of {options.key}: ").encode()

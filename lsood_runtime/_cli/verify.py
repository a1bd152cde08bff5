# SPDX-License-Identifier: Apache-2.0
"""``lsood verify``: verify the signature of a bundle and every file of it."""

import argparse
from pathlib import Path

from lsood_runtime._bundle.reader import digests_to_sign, open_bundle
from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_expected_digest
from lsood_runtime._cli.terminal import tell

_EPILOG = """\
exit codes: 0 signed with this key and whole, 2 it is not, or bad usage

example:
  lsood verify monitor/ --public-key public.pem
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "verify", run, "verify the signature of a bundle", _EPILOG)
    add_bundle(parser)
    parser.add_argument(
        "--public-key", type=Path, required=True, metavar="PEM", help="of the key that must have signed"
    )
    add_expected_digest(parser)


def run(options: argparse.Namespace) -> int:
    """Print the digest of the manifest where the signature holds."""
    bundle = open_bundle(options.bundle, expected_sha256=options.expected_sha256, public_key=options.public_key)
    files = len(digests_to_sign(bundle.sealed))
    tell(f"signed with {options.public_key}: {files} files, manifest sha256 {bundle.sealed.sha256}")
    return 0

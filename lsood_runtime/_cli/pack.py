# SPDX-License-Identifier: Apache-2.0
"""``lsood pack``: pack a verified bundle into one file, from which every other command reads it."""

import argparse
from pathlib import Path

from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust
from lsood_runtime._cli.terminal import tell
from lsood_runtime._pack import pack_bundle

_EPILOG = """\
Every command that reads a bundle, and OoDMonitor, take the archive in place of the folder; it is never unpacked to disk. The
C++ library takes folders alone: unpack it there by `unzip` or `tar`. The files are not compressed: weights hardly
shrink. The same bundle gives the same bytes on every machine. A signature beside the manifest is packed with the other files.

exit codes: 0 packed, 2 bad usage, bundle or file

examples:
  lsood pack monitor/ --out monitor.zip
  lsood pack monitor/ --out monitor.tar --public-key public.pem
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "pack", run, "pack a verified bundle into one .zip or .tar", _EPILOG)
    add_bundle(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the archive, .zip or .tar; an older one is replaced"
    )
    add_trust(parser)


def run(options: argparse.Namespace) -> int:
    """Pack the bundle, and print what was written with the digest of the manifest."""
    digest = pack_bundle(
        options.bundle, options.out, expected_sha256=options.expected_sha256, public_key=options.public_key
    )
    tell(f"packed {options.bundle} into {options.out}, {options.out.stat().st_size:,} bytes, manifest sha256 {digest}")
    return 0

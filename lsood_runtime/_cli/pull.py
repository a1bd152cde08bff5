# SPDX-License-Identifier: Apache-2.0
"""``lsood pull``: download a bundle from the Hugging Face hub, and verify it before it takes its place."""

import argparse
from pathlib import Path

from lsood_runtime._cli.arguments import Commands, add_command, add_trust
from lsood_runtime._cli.terminal import tell
from lsood_runtime._hub import pull_bundle

_EPILOG = """\
Only files that the manifest records are fetched, and the bundle appears at --out once every digest fits. A branch moves: pin
the commit by --revision and the bundle by --expected-sha256, as `lsood push` prints both, or ask for a signature by
--public-key.
Token, server and proxies are those of huggingface_hub: HF_TOKEN or `hf auth login`, HF_ENDPOINT. It needs the extra hub.

exit codes: 0 pulled and whole, 2 bad usage, bundle, folder or network

examples:
  lsood pull org/monitor --out monitor/
  lsood pull org/monitor --revision 5f1c6e0d... --expected-sha256 0123abcd... --out monitor/
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "pull", run, "download a bundle from the Hugging Face hub", _EPILOG)
    parser.add_argument("name", metavar="ORG/NAME", help="of the repository")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or an empty folder: the bundle")
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit (default: the default branch)")
    add_trust(parser)


def run(options: argparse.Namespace) -> int:
    """Pull the bundle, and print what pins it."""
    pulled = pull_bundle(
        options.name,
        options.out,
        revision=options.revision,
        expected_sha256=options.expected_sha256,
        public_key=options.public_key,
    )
    tell(f"pulled {pulled.name} at {pulled.revision} into {options.out}, manifest sha256 {pulled.sha256}")
    return 0

# SPDX-License-Identifier: Apache-2.0
"""``lsood push``: verify a bundle and upload it to the Hugging Face hub."""

import argparse

from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust
from lsood_runtime._cli.terminal import tell
from lsood_runtime._hub import push_bundle

_EPILOG = """\
The bytes that were verified are uploaded as one commit. A repository that is not there is made, private without --public; one
that is there must hold a bundle, or nothing. The model card is its front page: export with --license, and put the figures of
an evaluation into it by `python -m export evaluate --update-card` before. Sign before you push: the signature goes with it.
Token, server and proxies are those of huggingface_hub: HF_TOKEN or `hf auth login`, HF_ENDPOINT. It needs the extra hub.

exit codes: 0 pushed, 2 bad usage, bundle or network

examples:
  lsood push monitor/ org/monitor
  lsood push monitor.zip org/monitor --public
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "push", run, "upload a bundle to the Hugging Face hub", _EPILOG)
    add_bundle(parser)
    parser.add_argument("name", metavar="ORG/NAME", help="of the repository")
    parser.add_argument(
        "--public", action="store_true", help="everybody may read a repository that is made (default: private)"
    )
    add_trust(parser)


def run(options: argparse.Namespace) -> int:
    """Push the bundle, and print the command that pulls it."""
    pushed = push_bundle(
        options.bundle,
        options.name,
        public=options.public,
        expected_sha256=options.expected_sha256,
        public_key=options.public_key,
    )
    tell(f"pushed {options.bundle} to {pushed.name} at {pushed.revision}, manifest sha256 {pushed.sha256}")
    tell(f"next: lsood pull {pushed.name} --revision {pushed.revision} --expected-sha256 {pushed.sha256} --out DIR")
    return 0

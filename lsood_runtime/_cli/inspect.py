# SPDX-License-Identifier: Apache-2.0
"""``lsood inspect``: verify the files of a bundle and print its metadata."""

import argparse
import sys

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, alarm_policy, positive_number
from lsood_runtime._cli.manifest_text import describe
from lsood_runtime._exceptions import BundleError
from lsood_runtime._stream.false_alarms import expected_false_alarms
from lsood_runtime._stream.policy import Policy
from lsood_runtime._stream.policy_text import FORMS


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "inspect", run, "verify the files of a bundle and print its metadata")
    add_bundle(parser)
    parser.add_argument("--json", action="store_true", help="the whole manifest as JSON")
    parser.add_argument(
        "--alarm", type=alarm_policy, metavar="RULE", help=f"print its delay and its false alarms an hour: {FORMS}"
    )
    parser.add_argument(
        "--fps", type=positive_number, default=30.0, metavar="RATE", help="frames a second for --alarm (default: 30)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the manifest, as text or JSON, and the delay and false-alarm rate of an alarm."""
    manifest = open_bundle(options.bundle).manifest
    sys.stdout.write(manifest.to_json() if options.json else describe(manifest))
    if options.alarm is not None:
        line = _alarm_line(options.alarm, manifest, options.fps)
        print(line, file=sys.stderr if options.json else sys.stdout)
    return 0


def _alarm_line(policy: Policy, manifest: Manifest, frames_per_second: float) -> str:
    """Delay and simulated false-alarm rate of a policy.

    Raises:
        BundleError: the calibration is too small for the policy.
    """
    try:
        delay = policy.delay_frames(manifest.calibration, frames_per_second)
        expected = expected_false_alarms(policy, manifest, frames_per_second=frames_per_second)
    except ValueError as error:
        raise BundleError(f"this alarm cannot work with this bundle: {error}") from error
    return (
        f"alarm: within {delay} frames ({delay / frames_per_second:.2f} s) where all score above the calibration; "
        f"{expected.per_hour:.3g} false ones an hour at {frames_per_second:g} frames/s ({expected.low:.3g} to "
        f"{expected.high:.3g}), simulated for frames as correlated as those of the calibration, of which "
        f"{expected.correlation_frames} are equivalent to one independent frame, at the frame rate of the calibration"
    )

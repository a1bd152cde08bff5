# SPDX-License-Identifier: Apache-2.0
"""``lsood inspect``: verify the files of a bundle and print its metadata."""

import argparse
import sys

from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.alarm_rule import AlarmRule, find_alarm_rule, find_quality_rule
from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust, alarm_rule, positive_number
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.manifest_text import describe
from lsood_runtime._cli.terminal import write_out
from lsood_runtime._stream.policy_text import FORMS
from lsood_runtime._text.counted import counted
from lsood_runtime._text.wrapped import wrapped

_EPILOG = """\
examples:
  lsood inspect monitor/
  lsood inspect monitor/ --alarm 1/h --fps 10
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "inspect", run, "verify the files of a bundle and print its metadata", _EPILOG)
    add_bundle(parser)
    add_trust(parser)
    parser.add_argument("--json", action="store_true", help="the whole manifest as JSON")
    parser.add_argument(
        "--alarm", type=alarm_rule, metavar="RULE", help=f"print its delay and its false alarms an hour: {FORMS}"
    )
    parser.add_argument(
        "--quality-alarm", type=alarm_rule, metavar="RULE", help="the same of a rule that watches the expected quality"
    )
    parser.add_argument(
        "--fps",
        type=positive_number,
        default=30.0,
        metavar="RATE",
        help="frames a second for both rules (default: 30)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the manifest, as text or JSON, and the delay and false-alarm rate of an alarm."""
    report_idle_flags(options)
    sealed = open_bundle(options.bundle, expected_sha256=options.expected_sha256, public_key=options.public_key).sealed
    manifest = sealed.manifest
    write_out(manifest.to_json() if options.json else describe(sealed))
    if options.json:
        print(f"manifest sha256 {sealed.sha256}", file=sys.stderr)
    if options.alarm is not None:
        rule = find_alarm_rule(options.alarm, manifest, options.fps, None)
        _say(_line("alarm", rule, "score above the calibration"), options)
    falls = find_quality_rule(options.quality_alarm, manifest, options.fps, None)
    if falls is not None:
        _say(_line("quality alarm", falls, "have a quality that may be lower than that of every clean frame"), options)
    return 0


def _say(line: str, options: argparse.Namespace) -> None:
    """Print a line below the text, or on stderr where the standard output is JSON."""
    if options.json:
        print(line, file=sys.stderr)
    else:
        write_out(wrapped(line, 2))


def _line(what: str, rule: AlarmRule, where: str) -> str:
    chosen = f"{rule.policy}, {rule.choice}, " if rule.choice else ""
    return (
        f"{what}: {chosen}within {counted(rule.delay_frames, 'frame')} ({rule.delay_s:.2f} s) where all {where}; "
        f"{rule.expected}"
    )

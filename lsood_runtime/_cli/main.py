# SPDX-License-Identifier: Apache-2.0
"""The command ``lsood``: its parser, its exit codes, and how its errors are printed."""

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

from lsood_runtime._cli import (
    certify,
    diff,
    inspect,
    pack,
    pull,
    push,
    score,
    select,
    selftest,
    sign,
    summary,
    triton,
    verify,
    watch,
)
from lsood_runtime._cli.run_end import INTERRUPTED
from lsood_runtime._cli.terminal import say
from lsood_runtime._cli.unexpected import EXIT_CODE, describe_unexpected
from lsood_runtime._command_line import OnceParser, near_flags
from lsood_runtime._command_start import Stopped, stop_behind
from lsood_runtime._exceptions import LsoodError, one_line
from lsood_runtime._standard_streams import flush_or_send_nowhere
from lsood_runtime._version import __version__

_EPILOG = """\
examples:
  lsood inspect monitor/                            metadata of a bundle, and which frames it takes
  lsood score monitor/ drive/*.png                  a table, one line a frame
  lsood score monitor/ drive/ front.mp4 --csv > scores.csv
  lsood score monitor/ frame.png && echo trust it   exit code 0: every frame is in distribution
  lsood watch monitor/ drive.mcap --timeline t.png  when an alarm begins and ends, and a picture of the drive
  lsood select rows/ --budget 200 --out pick.csv    which frames of many drives to send home and label
  lsood summary monitor/ rows.parquet --vehicle car-17 --out day.parquet   counts of each day, for a fleet
  lsood selftest monitor/ --provider cuda           compare the scores on this machine with those at export
  lsood certify monitor/ --provider openvino --frames drive/   what a provider changes, and what it costs
  lsood diff old/ new/ drive/                       what changed, and on which frames the decision flips
  lsood verify monitor/ --public-key public.pem     whether the bundle is the one that was signed
  lsood pack monitor/ --out monitor.zip             one file, which every command takes in place of the folder
  lsood pull org/monitor --out monitor/             a bundle from the Hugging Face hub; `lsood push` puts it there
  lsood triton monitor/ models/                     a model repository for Triton Inference Server
"""


_FORMER = {"--strangest": "--highest"}
"""Flags that have another name now."""


class _Parser(OnceParser):
    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Leave with 2 and the flags that begin like the first unknown one, are spelt most like it, or have its place now."""
        flag = next((word.partition("=")[0] for word in unknown if word.startswith("--")), "")
        hint = near_flags(flag, self._option_string_actions)
        if _FORMER.get(flag) in self._option_string_actions:
            hint = f": it is called {_FORMER[flag]} now"
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = _Parser(
        prog="lsood",
        description="Detect camera frames that are out of distribution for a segmentation network.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lsood {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (
        score,
        watch,
        select,
        summary,
        inspect,
        selftest,
        certify,
        diff,
        sign,
        verify,
        pack,
        push,
        pull,
        triton,
    ):
        command.add_parser(commands)
    for of_command in commands.choices.values():
        of_command.set_defaults(command_parser=of_command)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; bad usage and ``--help`` raise argparse's SystemExit.

    No exception reaches the caller but that: Python would exit with 1, which means an alarm.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be no text
    try:
        options, unknown = build_parser().parse_known_args(arguments)
        if unknown:
            options.command_parser.refuse(unknown)
        code: int = options.run(options)
        sys.stdout.flush()
    except LsoodError as error:
        return _end(f"error: {one_line(error)}", 2)
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has seen enough
        flush_or_send_nowhere(sys.stdout)
        return 141
    except SystemExit:
        flush_or_send_nowhere(sys.stdout)
        flush_or_send_nowhere(sys.stderr)
        raise
    except BaseException as error:  # Rust extensions raise panics that are no Exception
        stop = stop_behind(error)
        if isinstance(stop, Stopped):
            return _end(f"stopped by {stop.name}", stop.exit_code)
        if stop is not None:
            return _end("interrupted", INTERRUPTED)
        return _end(describe_unexpected(error), EXIT_CODE)
    return code


def _end(words: str, code: int) -> int:
    """Print words, several lines where they hold a traceback, on stderr, after what stands on stdout; give the exit code."""
    flush_or_send_nowhere(sys.stdout)
    say(*f"lsood: {words}".split("\n"))
    return code

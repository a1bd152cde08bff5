# SPDX-License-Identifier: Apache-2.0
"""Console output of the commands: stages and progress on stderr, errors in one line, exit codes by cause."""

import gc
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from export.cli.findings_table import findings_table
from export.cli.next_command import next_command
from export.errors import ExportError, refuse_exit
from export.findings import PLACEHOLDER, Finding
from export.option_table import flag
from export.stop_signals import errors_told_as_the_stop, words_and_code
from lsood_runtime import LsoodError
from lsood_runtime.offline import flush_or_send_nowhere, keep_matplotlib_out_of_home, one_line, printable

T = TypeVar("T")

_NEW_OBJECTS = 50_000
"""Between two looks for objects that nothing reads any more: a conversion makes millions, and keeps most to its end."""

EXIT_CODES = """\
exit codes: 0 done, 1 unexpected, 2 usage, 3 checkpoint or layer unusable, 4 conversion failed, 5 parity failed or fewer
bits cost too much, 6 calibration impossible, 7 a requirement is not supported, 129, 130 or 143 stopped by SIGHUP, Ctrl-C or
SIGTERM, 141 the reader of a pipe was gone (nothing is half written)
"""


@dataclass(frozen=True)
class ConsoleOptions:
    """Options of the messages of a command; each field's text is what ``--help`` says of its flag."""

    verbose: bool = field(
        default=False, metadata=flag("log every library's messages, and tracebacks", excludes_others=True)
    )
    quiet: bool = field(
        default=False,
        metadata=flag(
            "print no stages and no summary, nothing but errors and what was asked for", excludes_others=True
        ),
    )


class ConsoleReporter:
    """Prints stages and progress bars on stderr.

    Args:
        quiet: print nothing.
    """

    def __init__(self, quiet: bool) -> None:
        from export.cli.pipe_console import message_console  # here, since --help does not need rich

        self.console = message_console(quiet=quiet)
        self.quiet = quiet

    def stage(self, text: str) -> None:
        """Print the stage that begins."""
        from rich.text import Text

        self.console.print(Text.assemble(("·", "dim"), f" {printable(text)}"))

    def found(self, *findings: Finding) -> None:
        """Print one thing as a line, unless the user gave it, and several as a table."""
        if len(findings) == 1 and findings[0].origin != "given":
            self.stage(findings[0].sentence)
        elif len(findings) > 1:
            self.console.print(findings_table(findings, self.console.width), soft_wrap=True)

    def completed(self, words: Iterable[str]) -> None:
        """Print the command, and that something in it is to be replaced where it is so."""
        typed = [*words]
        self.console.print(next_command("python", "-m", "export", *typed), soft_wrap=True)
        if any(word == PLACEHOLDER or word.endswith(f"={PLACEHOLDER}") for word in typed):
            self.stage(f"put what you know in place of {PLACEHOLDER} in the command above")

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Give the items one by one, with a bar."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, disable=self.quiet) as bar:
            yield from bar.track(items, total=total, description=what)


def run_command(work: Callable[[ConsoleReporter], None], options: ConsoleOptions) -> int:
    """Do the work and give the exit code; an error of this package becomes one line on stderr."""
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR, stream=sys.stderr)
    keep_matplotlib_out_of_home()  # libraries of the export import it too
    thresholds = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS)
    try:
        with errors_told_as_the_stop(), refuse_exit(ExportError, "the code that a command runs"):
            work(ConsoleReporter(options.quiet))
            sys.stdout.flush()
    except (ExportError, LsoodError) as error:
        if options.verbose:
            traceback.print_exc()
        print(f"export: error: {one_line(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, ExportError) else 1
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has seen enough, which is no fault of a file
        flush_or_send_nowhere(sys.stdout)
        flush_or_send_nowhere(sys.stderr)
        return 141
    except OSError as error:
        if options.verbose:
            traceback.print_exc()
        flush_or_send_nowhere(sys.stdout)
        what, why = error.filename or "a file", error.strerror or error
        print(
            f"export: error: {one_line(f'expected to read or write {what}, got {why}')}: "
            "check the path, its permissions and the free space of the disk",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt as stop:
        words, code = words_and_code(stop)
        print(f"export: {words}", file=sys.stderr)
        return code
    finally:
        gc.set_threshold(*thresholds)
    return 0

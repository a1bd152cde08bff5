# SPDX-License-Identifier: Apache-2.0
"""Ask on the terminal for what an export misses."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from export.cli.console import ConsoleReporter
from export.cli.next_command import next_command
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding
from export.option_table import command_words, with_words, without_flags, words_by_flag
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from lsood_runtime.offline import printable


def check_terminal() -> None:
    """Refuse to ask where nobody can answer.

    Raises:
        UsageError: standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError("expected a terminal for --interactive, got none: give what --dry-run names as missing")


def ask_for_checkpoint() -> Path:
    """Ask for the checkpoint, until a file is named that exists.

    Raises:
        KeyboardInterrupt: the input has ended.
    """
    while True:
        words = _answer("--ckpt FILE")
        if len(words) == 1 and Path(words[0]).is_file():
            return Path(words[0])
        _say(f"expected one file that exists, got {' '.join(words) or 'none'}")


def complete_options(options: ExportOptions, reporter: ConsoleReporter) -> ExportOptions:
    """Plan an export, ask for what is missing, and plan again until nothing is; then show the command.

    Args:
        options: of the export; its ``frames`` may be empty.
        reporter: prints the tables, the questions and, in the end, the completed command.

    Raises:
        ExportError: something is wrong that no flag can mend, or that the user does not want to mend by a switch.
        KeyboardInterrupt: the input has ended.
    """
    while True:
        plan = plan_export(options, reporter)
        reporter.found(*plan.findings)
        beyond = [problem for problem in plan.problems if not problem.has_remedy]
        if beyond:
            raise beyond[0]
        for problem in plan.problems:
            if problem.without:
                _say(f"{problem}; {' and '.join(problem.without).replace('=', ' ')} left out")
                options = without_flags(options, problem.without)
        for finding in plan.findings:
            if finding.origin == "missing" and finding.words:
                options = _ask(finding, options)
        if not plan.problems:
            _say(next_command("python", "-m", "export", *command_words(options)).replace("next:", "command:", 1))
            return options


def _ask(finding: Finding, options: ExportOptions) -> ExportOptions:
    """Options with the user's answers for the flags of a finding."""
    _say("")
    _say(f"{finding.subject}: {finding.reason}")
    for flag, values in words_by_flag(type(options), finding.words).items():
        if flag == "--model-arg":
            for word in values:
                options = _ask_for_argument(word, options)
        else:
            options = _ask_for_values(flag, values, options)
    return options


def _ask_for_values(flag: str, guess: Sequence[str], options: ExportOptions) -> ExportOptions:
    if not guess:  # a switch
        if _line(f"{flag}? y or n", "n") in ("y", "yes"):
            return with_words(options, [flag])
        raise UsageError(f"expected {flag} or something in its place: see the reason above")
    default = [] if PLACEHOLDER in guess else list(guess)
    while True:
        words = _answer(flag, shlex.join(default)) or default
        try:
            return with_words(options, [flag, *words])
        except UsageError as error:
            _say(str(error))


def _ask_for_argument(word: str, options: ExportOptions) -> ExportOptions:
    name, _, guess = word.partition("=")
    default = "" if guess == PLACEHOLDER else guess
    while True:
        text = _line(f"--model-arg {name}=", default) or default
        try:
            if text:
                return with_words(options, ["--model-arg", f"{name}={text}"])
            _say(f"expected a value of {name}, in YAML")
        except UsageError as error:
            _say(str(error))


def _answer(question: str, default: str = "") -> list[str]:
    """The words of the user's answer, quoted as in a shell; none for an empty one."""
    while True:
        try:
            return shlex.split(_line(question, default))
        except ValueError as error:
            _say(f"expected words as in a shell, got {error}")


def _line(question: str, default: str) -> str:
    _say(f"{question} [{default}] " if default else f"{question} ", end="")
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _say(text: str, end: str = "\n") -> None:
    print(printable(text), end=end, file=sys.stderr, flush=True)

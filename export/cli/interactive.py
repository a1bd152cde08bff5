# SPDX-License-Identifier: Apache-2.0
"""Ask on the terminal for what an export misses, and whether its guesses are right."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from export.bundle.writer import check_destination
from export.cli.console import ConsoleReporter
from export.cli.next_command import next_command
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding
from export.option_table import command_words, with_words, without_flags, words_by_flag
from export.pipeline.findings import needs_consent
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


def complete_options(options: ExportOptions, reporter: ConsoleReporter, *, asks_out: bool = False) -> ExportOptions:
    """Plan an export, ask for what is missing until nothing is, then for what is guessed; then show the command.

    The table is printed once, before the questions. A guess is the default of its question; one that is confirmed is stated
    by the command.

    Args:
        options: of the export; its ``frames`` may be empty.
        reporter: prints the table, the questions and, in the end, the completed command.
        asks_out: ask for the bundle's folder too, for which ``options`` have a proposal.

    Raises:
        ExportError: something is wrong that no flag can mend, or that the user does not want to mend by a switch.
        KeyboardInterrupt: the input has ended.
    """
    shown, asked = False, set[str]()
    while True:
        plan = plan_export(options, reporter)
        if not shown:
            reporter.found(*plan.findings)
        shown = True
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
        if plan.problems:
            continue
        guessed = [
            finding
            for finding in plan.findings
            if finding.origin == "guessed"
            and not needs_consent(finding.words)
            and asked.isdisjoint(_flags(finding, options))
        ]
        if not any(finding.words for finding in guessed):
            break
        for finding in guessed:
            asked |= _flags(finding, options)
            options = _confirm(finding, options)
    if asks_out:
        options = _ask_for_folder(options)
    _say(next_command("python", "-m", "export", *command_words(options)).replace("next:", "command:", 1))
    return options


def _flags(finding: Finding, options: ExportOptions) -> set[str]:
    return {*words_by_flag(type(options), finding.words)}


def _confirm(finding: Finding, options: ExportOptions) -> ExportOptions:
    """Options with the flags of a guess, each as the user says or, for an empty answer, as it is guessed."""
    if finding.words:
        _say("")
        _say(f"{finding.subject}: {finding.value} is a guess: {finding.reason}")
    for flag, values in words_by_flag(type(options), finding.words).items():
        if values:
            options = _ask_for_values(flag, values, options)
        elif _line(f"{flag}? y or n", "y") in ("y", "yes", ""):
            options = with_words(options, [flag])
    return options


def _ask_for_folder(options: ExportOptions) -> ExportOptions:
    while True:
        chosen = _ask_for_values("--out", [str(options.out)], options)
        try:
            check_destination(chosen.out, chosen.overwrite)
        except UsageError as error:
            _say(str(error))
        else:
            return chosen


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

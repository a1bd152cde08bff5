# SPDX-License-Identifier: Apache-2.0
"""The command line reference, written from the parsers that the commands themselves use."""

import argparse
import importlib
import os
import sys
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

PAGE = "reference/command-line.md"
COMMANDS = (
    ("export",),
    ("export", "calibrate"),
    ("export", "evaluate"),
    ("export", "benchmark"),
    ("export", "evidence"),
    ("export", "search"),
    ("export", "fleet"),
    ("lsood_runtime",),
    ("lsood_runtime", "score"),
    ("lsood_runtime", "watch"),
    ("lsood_runtime", "select"),
    ("lsood_runtime", "summary"),
    ("lsood_runtime", "inspect"),
    ("lsood_runtime", "selftest"),
    ("lsood_runtime", "certify"),
    ("lsood_runtime", "diff"),
    ("lsood_runtime", "sign"),
    ("lsood_runtime", "verify"),
    ("lsood_runtime", "pack"),
    ("lsood_runtime", "push"),
    ("lsood_runtime", "pull"),
    ("lsood_runtime", "triton"),
)

_INTRODUCTION = """\
# Command line

Written from the commands' own parsers when this site is built; `--help` prints the same. Installed, `python -m export` is
also called `lsood-export`, and `python -m lsood_runtime` is called `lsood`. Exit codes are explained in
[Troubleshooting](../troubleshooting.md).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to the site; MkDocs calls this."""
    files.append(File.generated(config, PAGE, content=command_line_page()))
    return files


def command_line_page() -> str:
    """The whole page in Markdown."""
    return "\n".join([_INTRODUCTION, *(_section(command) for command in COMMANDS)])


def parser_of(command: tuple[str, ...]) -> argparse.ArgumentParser:
    """The parser that answers ``python -m PACKAGE [COMMAND] --help``.

    Args:
        command: the package, and perhaps the name of one of its commands.

    Raises:
        PluginError: the command has no help.
    """
    package, *words = command
    main = importlib.import_module(f"{package}.__main__").main
    found: list[argparse.ArgumentParser] = []

    def keep(parser: argparse.ArgumentParser, *_: object) -> None:
        found.append(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "print_help", keep),
        mock.patch.object(sys, "argv", [package, *words, "--help"]),
    ):
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise PluginError(f"expected {' '.join(command)} --help to end with 0, got {end.code}") from end
    (parser,) = found
    return parser


def flags_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Every option string of a parser, short and long."""
    return {option: action for action in parser._actions for option in action.option_strings}


def _section(command: tuple[str, ...]) -> str:
    parser = parser_of(command)
    package, *words = command
    title = " ".join(["python -m export" if package == "export" else "lsood", *words])
    anchor = "-".join(["export" if package == "export" else "lsood", *words])
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):  # the width that argparse wraps at
        usage = parser.format_usage().removeprefix("usage: ")
    blocks = [f"## `{title}` {{#{anchor}}}", parser.description or "", f"```text\n{usage}```"]
    for group in parser._action_groups:
        rows = [_row(action, parser) for action in group._group_actions if action.help != argparse.SUPPRESS]
        if rows:
            blocks += [f"**{group.title}**", "\n".join(["| option | meaning |", "|---|---|", *rows])]
    if parser.epilog:
        blocks.append(f"```text\n{parser.epilog.strip()}\n```")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return f"| `{action.metavar}` | {', '.join(f'`{name}`' for name in action.choices)} |"
    help_text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return f"| `{_invocation(action)}` | {_escape(help_text)} |"


def _invocation(action: argparse.Action) -> str:
    """An option or argument as it is typed, such as ``--mean R G B`` or ``--masks {fixed,fresh,input}``."""
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    if isinstance(value, tuple):
        typed = " ".join(value)
    elif isinstance(action.nargs, int):
        typed = " ".join([str(value)] * action.nargs)
    else:
        typed = f"{value} ..." if action.nargs in ("+", "*", argparse.REMAINDER) else str(value)
    return f"{names} {typed}".strip().replace("|", "\\|")


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("[", "\\[")

# SPDX-License-Identifier: Apache-2.0
"""Every path and every symbol that a docstring or a comment of the two packages names exists."""

import ast
import importlib
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.paths import ROOT

PACKAGES = ("export", "lsood_runtime")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

_PATH = re.compile(
    r"(?<![\w./-])(?:(?:docs|tests|benchmarks|examples|export|lsood_runtime)/(?:[\w./-]*\w)?|[\w/-]+\.(?:py|md)\b)"
)
_ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`~?([\w.]+)`")
_DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
_FILE = r"\w+\.(?:onnx|npz|bin|pt|json|html|csv)\b"
_MEMBER = re.compile(rf"``(?!{_FILE})([A-Za-z_]\w*(?:\.\w+)+)(?:\(\))?``")
_GLOBAL = re.compile(r"``(_?[A-Z][A-Z0-9_]+|(?:[A-Z][a-z0-9]+){2,})(?:\(\))?``")


@dataclass(frozen=True)
class Text:
    """A docstring or a comment.

    Attributes:
        module: that it stands in, by its dotted name.
        owners: classes around it, outermost first.
        line: where it begins.
        words: what it says.
    """

    module: str
    owners: tuple[str, ...]
    line: int
    words: str


def texts(module: str, source: str) -> Iterator[Text]:
    """Docstrings, of attributes too, and comments."""
    yield from _docstrings(module, ast.parse(source), ())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(module, (), token.start[0], token.string)


def _docstrings(module: str, node: ast.AST, owners: tuple[str, ...]) -> Iterator[Text]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str):
            yield Text(module, owners, child.lineno, child.value.value)
        inside = (*owners, child.name) if isinstance(child, ast.ClassDef) else owners
        yield from _docstrings(module, child, inside)


def missing(text: Text) -> set[str]:
    """Paths and symbols of a text that are not there."""
    return set(_missing(text))


def _missing(text: Text) -> Iterator[str]:
    yield from (path for path in _PATH.findall(text.words) if not (ROOT / path).exists())
    yield from (name for name in _DOTTED.findall(text.words) if not _follow(None, name))
    yield from (name for name in _ROLE.findall(text.words) if not _is_known(text, name))
    for name in _MEMBER.findall(
        text.words
    ):  # of a class or a module that is known; else a parameter's, or another library's
        if _is_known(text, name.partition(".")[0]) and not _is_known(text, name):
            yield name
    for name in _GLOBAL.findall(
        text.words
    ):  # of any module of ours, or another library's that the module knows by its name
        if name not in _globals() and f'"{name}"' not in inspect.getsource(importlib.import_module(text.module)):
            yield name


def _is_known(text: Text, name: str) -> bool:
    """Whether a name can be followed from its class, its module, or the top of a package."""
    if name.partition(".")[0] in PACKAGES:
        return _follow(None, name)
    starts: list[object] = [importlib.import_module(text.module)]
    for owner in text.owners:
        starts.append(getattr(starts[-1], owner))
    starts += map(importlib.import_module, PACKAGES)
    return any(_follow(start, name) for start in starts)


@cache
def _globals() -> set[str]:
    return {name for path in FILES for name in vars(importlib.import_module(_module_name(path)))}


def _follow(start: object, name: str) -> bool:
    """Whether a dotted name leads somewhere from ``start``, or from the top where that is None."""
    found: object = start
    for part in name.split("."):
        if found is None:
            found = importlib.import_module(part)
        elif hasattr(found, part):
            found = getattr(found, part)
        elif isinstance(found, ModuleType) and _module_file(f"{found.__name__}.{part}"):
            found = importlib.import_module(f"{found.__name__}.{part}")
        else:
            return inspect.isclass(found) and _sets(found, part)
    return True


def _module_file(name: str) -> bool:
    base = ROOT.joinpath(*name.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _sets(kind: type, attribute: str) -> bool:
    """Whether instances have an attribute that the class declares, or sets on ``self``."""
    ours = [base for base in kind.__mro__ if base.__module__.partition(".")[0] in PACKAGES]
    return any(
        attribute in inspect.get_annotations(base) or f"self.{attribute}" in inspect.getsource(base) for base in ours
    )


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_names_in_docstrings_and_comments_of_both_packages_exist() -> None:
    unknown = [
        f"{path.relative_to(ROOT)}:{text.line}: {name}"
        for path in FILES
        for text in texts(_module_name(path), path.read_text())
        for name in sorted(missing(text))
    ]
    assert unknown == []


STALE = {
    "a page": ("See docs/converters.md.", "docs/converters.md"),
    "a test": ("# as tests/test_nothing.py shows", "tests/test_nothing.py"),
    "a source file": ("Like nothing.py.", "nothing.py"),
    "a module": ("As export.commands.evaluate hands them over.", "export.commands.evaluate"),
    "a function": (":func:`export.bundle.writer.whole_or_nothing`", "export.bundle.writer.whole_or_nothing"),
    "a function of the module": (":func:`read_nothing`", "read_nothing"),
    "a method of the class": (":meth:`fly`", "fly"),
    "a method of another class": ("``Manifest.fly()``", "Manifest.fly"),
    "a constant": ("One of ``NO_SUCH_CONSTANT``.", "NO_SUCH_CONSTANT"),
    "a class": ("A ``NoSuchClass``.", "NoSuchClass"),
}


@pytest.mark.parametrize(("words", "name"), STALE.values(), ids=STALE)
def test_name_that_does_not_exist_is_found(words: str, name: str) -> None:
    assert missing(Text("lsood_runtime._monitor", ("OoDMonitor",), 1, words)) == {name}


@pytest.mark.parametrize(
    "words",
    [
        "See docs/concepts/thresholds.md, README.md, tests/ and lsood_runtime/_monitor.py.",
        "As :meth:`assess` of :class:`~lsood_runtime.OoDMonitor`, :attr:`threshold` and :func:`export.bundle.writer.sha256`.",
        "``Manifest.threshold``, ``Manifest.files``, ``SCHEMA``, ``EvaluationGraphs``, ``frame.shape``",
        "What export.calibration.conformal does.",
    ],
)
def test_names_that_exist_are_passed(words: str) -> None:
    assert missing(Text("lsood_runtime._monitor", ("OoDMonitor",), 1, words)) == set()


def test_docstrings_of_attributes_and_comments_are_read() -> None:
    source = '"""Of a module."""\nX = 1\n"""Of a constant."""\nclass A:\n    """Of a class."""  # a comment\n'
    found = {(text.words, text.owners) for text in texts("m", source)}
    of_class = ("Of a class.", ("A",))
    assert found == {("Of a module.", ()), ("Of a constant.", ()), of_class, ("# a comment", ())}

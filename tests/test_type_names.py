# SPDX-License-Identifier: Apache-2.0
"""A name stands for one type, over both packages."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.paths import ROOT

PACKAGES = ("export", "lsood_runtime")


def defined_types(module: ast.Module, where: str) -> Iterator[tuple[str, str]]:
    """Name and definition of each class, and of each alias at the top of a module."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name, f"class in {where}"
    for statement in module.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and target.id[:1].isupper() and not target.id.isupper():
            value = getattr(statement, "value", None)
            yield target.id, ast.unparse(value) if value is not None else f"declared in {where}"


def several_meanings(modules: Iterable[tuple[ast.Module, str]]) -> dict[str, set[str]]:
    """Names that stand for more than one type; an alias may stand in several modules where its definition is the same."""
    meanings = defaultdict(set)
    for module, where in modules:
        for name, definition in defined_types(module, where):
            meanings[name].add(definition)
    return {name: found for name, found in meanings.items() if len(found) > 1}


def sources() -> Iterator[tuple[ast.Module, str]]:
    for package in PACKAGES:
        for path in sorted(Path(ROOT / package).rglob("*.py")):
            yield ast.parse(path.read_text()), str(path.relative_to(ROOT))


def test_type_names_over_both_packages_have_one_meaning_each() -> None:
    assert several_meanings(sources()) == {}


def test_type_names_of_two_meanings_are_found() -> None:
    one = ast.parse("class Parity: ...\nNoise = list[int]\nFloats = list[float]")
    other = ast.parse("class Parity: ...\nNoise = list[float]\nFloats = list[float]\nLIMIT = 3")
    assert set(several_meanings([(one, "a.py"), (other, "b.py")])) == {"Parity", "Noise"}

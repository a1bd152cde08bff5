# SPDX-License-Identifier: Apache-2.0
"""Read YAML of plain values in which no mapping has a name twice, and whose size is that of its text.

A text of a few lines can stand for more values than a memory holds, since an alias stands for all that it names. Values are
counted as often as they stand there before any of them is built.
"""

from collections.abc import Hashable
from typing import Any

import yaml

LONGEST_TEXT = 2**18
"""Characters, at most."""

MOST_VALUES = 100_000
"""Values, at most, each as often as aliases repeat it."""


def load_yaml(text: str, *, tuples: bool = False) -> Any:
    """Parse YAML as ``yaml.safe_load`` does, within limits, and refuse a mapping in which a name stands twice.

    Args:
        text: of a file or a value.
        tuples: take the tag with which PyYAML writes a tuple too, as Lightning's files of hyper-parameters have it.

    Raises:
        yaml.YAMLError: no YAML, values of other types, values nested too deeply, too many of them or too long a text, an
            alias within what it names, or a name that stands twice.
    """
    if len(text) > LONGEST_TEXT:
        raise yaml.YAMLError(f"a text of {len(text):,} characters, at most {LONGEST_TEXT:,} are read")
    loader = _TupleLoader if tuples else _StrictLoader
    try:
        root = yaml.compose(text, Loader=loader)
        if root is not None:
            _count(root, {})
        return yaml.load(text, Loader=loader)
    except RecursionError as error:
        raise yaml.YAMLError("values are nested too deeply") from error
    except ValueError as error:  # a date that is none, an integer of thousands of digits
        raise yaml.YAMLError(str(error)) from error


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Number of values that a node stands for; ``known`` holds those of nodes that were counted, None while they are."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in known:
        counted = known[id(node)]
        if counted is None:
            raise yaml.YAMLError("an alias stands within what it names")
        return counted
    known[id(node)], count = None, 1
    parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    for part in parts:
        count += _count(part, known)
        if count > MOST_VALUES:
            raise yaml.YAMLError(f"more than {MOST_VALUES:,} values, each counted as often as an alias repeats it")
    known[id(node)] = count
    return count


class _StrictLoader(yaml.SafeLoader):
    """YAML of plain values; PyYAML itself takes the last of two equal names."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping whose own names, without those that ``<<`` merges, are unlike each other."""
        merge, names = "tag:yaml.org,2002:merge", set[Hashable]()
        for key, _ in node.value:
            name = None if key.tag == merge else self.construct_object(key, deep=True)
            if key.tag == merge or not isinstance(name, Hashable):  # what cannot be a name is refused below
                continue
            if name in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {name!r} stands twice in one mapping", node.start_mark
                )
            names.add(name)
        return super().construct_mapping(node, deep=deep)


class _TupleLoader(_StrictLoader):
    """YAML of plain values and tuples."""

    def construct_tuple(self, node: yaml.Node) -> tuple[Any, ...]:
        """Build a tuple of plain values."""
        if not isinstance(node, yaml.SequenceNode):
            raise yaml.constructor.ConstructorError(None, None, "expected a sequence for a tuple", node.start_mark)
        return tuple(self.construct_sequence(node, deep=True))


_TupleLoader.add_constructor("tag:yaml.org,2002:python/tuple", _TupleLoader.construct_tuple)

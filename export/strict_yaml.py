# SPDX-License-Identifier: Apache-2.0
"""Read YAML of plain values in which no mapping has a name twice."""

from collections.abc import Hashable
from typing import Any

import yaml


def load_yaml(text: str) -> Any:
    """Parse YAML as ``yaml.safe_load`` does, and refuse a mapping in which a name stands twice.

    Raises:
        yaml.YAMLError: no YAML, values of other types, values nested too deeply, or a name that stands twice.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except RecursionError as error:
        raise yaml.YAMLError("values are nested too deeply") from error


class _StrictLoader(yaml.SafeLoader):
    """YAML of plain values; PyYAML itself takes the last of two equal names."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping whose own names, without those that ``<<`` merges, are unlike each other."""
        merge = "tag:yaml.org,2002:merge"
        names = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != merge]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {name!r} stands twice in one mapping", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)

# SPDX-License-Identifier: Apache-2.0
"""Paths of a data set as text with fields: ``leftImg8bit/val/{drive}/{name}_leftImg8bit.png``."""

import re
from pathlib import Path, PurePosixPath

from lsood_runtime.offline import visible

_FIELD = re.compile(r"\{(\w+)\}")
_MATCHES = {"number": "[0-9]+", "word": "[^/_]+", "suffix": "(?:png|jpg|jpeg|webp)"}


def folder_of(template: str) -> str:
    """The folder that all of its files lie below: the path up to its first field."""
    return template[: template.index("{")].rpartition("/")[0]


def shown(template: str) -> str:
    """The template as a pattern of a shell."""
    return _FIELD.sub("*", template)


def files_of(template: str, root: Path) -> dict[Path, dict[str, str]]:
    """List the files below ``root`` that a template describes, hidden ones left out, with the values of its fields.

    ``{number}`` stands for digits, ``{word}`` for text without an underscore, ``{suffix}`` for that of an image, any other
    field for as little text as possible without a slash.
    """
    parts = _FIELD.split(template)
    pattern = re.compile(
        "".join(
            f"(?P<{part}>{_MATCHES.get(part, '[^/]+?')})" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
    )
    found: dict[Path, dict[str, str]] = {}
    for path in root.glob(shown(template)):
        match = pattern.fullmatch(PurePosixPath(path.relative_to(root)).as_posix())
        if match and visible(path) and path.is_file():
            found[path] = match.groupdict()
    return found


def fields_of(template: str) -> frozenset[str]:
    """Names of its fields, but for the suffix."""
    return frozenset(_FIELD.findall(template)) - {"suffix"}

# SPDX-License-Identifier: Apache-2.0
"""Roles such as ``:meth:`score` `` in docstrings become plain code in the API reference, whose markup is Markdown."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")


def without_roles(text: str) -> str:
    """A docstring with its Sphinx roles as Markdown code."""
    return _ROLE.sub(r"`\1`", text)


class PlainRoles(griffe.Extension):
    """Rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Take the roles out; griffe calls this."""
        if obj.docstring is not None:
            obj.docstring.value = without_roles(obj.docstring.value)

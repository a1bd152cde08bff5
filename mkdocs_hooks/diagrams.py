# SPDX-License-Identifier: Apache-2.0
"""Mermaid diagrams become SVG when the site is built: no page needs JavaScript or a download to show one."""

import hashlib
from typing import Any

import mmdr
from pymdownx.superfences import SuperFencesException

_ID = "merman"  # of every drawing that mmdr makes; its styles hang on it


def mermaid_as_svg(source: str, _language: str, class_name: str, *_: Any, **__: Any) -> str:
    """Draw one fenced block, as ``pymdownx.superfences`` calls a formatter: source, language, class name, and more.

    Raises:
        SuperFencesException: the text is no diagram, which ends the build.
    """
    try:
        svg: str = mmdr.render(source).svg()
    except Exception as error:  # of the Rust extension, which has no classes of its own
        raise SuperFencesException(
            f"expected a Mermaid diagram, got {source.splitlines()[0]!r} ...: {error}"
        ) from error
    own_id = f"diagram-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    return f'<div class="{class_name}">{svg.replace(_ID, own_id)}</div>'

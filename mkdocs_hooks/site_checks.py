# SPDX-License-Identifier: Apache-2.0
"""Checks of the built site: it fetches nothing from elsewhere, and its reference has every public name."""

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocstrings import Inventory

PUBLIC_PACKAGES = ("lsood_runtime", "export.guide", "export.models", "export.data")

_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'> ]+"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|prev|next))[^>]*\bhref=["']?(?:https?:)?//[^"'> ]+"""
)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that breaks one of the promises; MkDocs calls this.

    Raises:
        PluginError: a page fetches something, or the reference lacks a public name.
    """
    site = Path(config.site_dir)
    fetched = [
        f"{page.relative_to(site)}: {found}" for page in site.rglob("*.html") for found in fetched_by(page.read_text())
    ]
    if fetched:
        raise PluginError(f"expected pages that fetch nothing from elsewhere, got {fetched[0]}")
    with (site / "objects.inv").open("rb") as file:
        known = set(Inventory.parse_sphinx(file))
    missing = [name for package in PUBLIC_PACKAGES for name in public_names(package) if name not in known]
    if missing:
        raise PluginError(f"expected every public name in the reference, it lacks {', '.join(missing)}")


def fetched_by(page: str) -> list[str]:
    """The elements of an HTML page that a browser would load from another host."""
    return _FETCHED.findall(page)


def public_names(package: str) -> list[str]:
    """The full names that a package lists in ``__all__``, read without importing it; dunder names left out."""
    source = Path(*package.split("."), "__init__.py").read_text()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]:
            return [f"{package}.{name}" for name in ast.literal_eval(statement.value) if not name.startswith("__")]
    raise PluginError(f"expected __all__ in {package}, found none")

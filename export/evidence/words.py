# SPDX-License-Identifier: Apache-2.0
"""Figures and their places in words, alike on the page, in the table and on the terminal."""

from export.evidence.claims import EvidenceFigure, EvidenceItem, EvidencePage, EvidenceTest, Unit
from lsood_runtime.offline import counted


def amount(value: float | None, unit: Unit) -> str:
    """A value in its unit."""
    if value is None:
        return "not known"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.4g}" if unit == "number" else f"{value:.4g} {unit}"


def figure_words(figure: EvidenceFigure) -> str:
    """A figure with its interval, and what it is of."""
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f" ({amount(figure.low, figure.unit)} to {amount(figure.high, figure.unit)})"
    counts = [
        counted(count, noun, comma=",")
        for count, noun in ((figure.frames, "frame"), (figure.drives, "drive"))
        if count is not None
    ]
    return ", ".join([f"{figure.name}: {amount(figure.value, figure.unit)}{interval}", *counts])


def item_words(item: EvidenceItem) -> str:
    """A piece of evidence in a line, with its place."""
    if isinstance(item, EvidenceFigure):
        return f"{figure_words(item)} [{item.file}#{item.pointer}]"
    if isinstance(item, EvidenceTest):
        return f"test {item.node_id}: {item.outcome}"
    if isinstance(item, EvidencePage):
        return f"page {item.path}: {item.heading}"
    return f"{item.name}: {item.text} [{item.file}#{item.pointer}]"

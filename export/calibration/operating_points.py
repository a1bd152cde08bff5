# SPDX-License-Identifier: Apache-2.0
"""Parse operating points: target false-alarm rates, with or without a name."""

import math
from collections.abc import Mapping, Sequence

from export.errors import UsageError


def is_rate(value: float) -> bool:
    """Whether a number is a false-alarm rate: above 0, which no threshold holds, and below 1, which every one does."""
    return 0 < value < 1


def parse_operating_points(texts: Sequence[str]) -> dict[str, float]:
    """Read ``0.05`` or ``strict=0.01``; a rate without a name is named by its percentage, ``5%``.

    Raises:
        UsageError: no number, a rate outside (0, 1), an empty name, or a name twice.
    """
    points: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            rate = float(number)
        except ValueError:
            rate = math.nan
        if not is_rate(rate) or (equals and not name.strip()):
            raise UsageError(f"expected a false-alarm rate between 0 and 1, or NAME=RATE, got {text!r}: write 0.05")
        name = name.strip() or f"{100 * rate:g}%"
        if name in points or not name.isprintable():
            raise UsageError(
                f"expected operating points of different printable names, got {name!r} twice or unprintable: rename it"
            )
        points[name] = rate
    return points


def operating_point_words(rates: Mapping[str, float]) -> list[str]:
    """The words from which :func:`parse_operating_points` reads these rates."""
    return [f"{name}={rate}" for name, rate in rates.items()]

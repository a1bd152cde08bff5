# SPDX-License-Identifier: Apache-2.0
"""Numbers as text that is read back."""

_FEWEST, _MOST = 6, 17


def number_text(number: float) -> str:
    """A finite number with as few digits as give the same number when they are read, and six where fewer do: ``1e+06``."""
    value = float(number)
    return next(text for digits in range(_FEWEST, _MOST + 1) if float(text := f"{value:.{digits}g}") == value)

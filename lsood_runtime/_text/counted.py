# SPDX-License-Identifier: Apache-2.0
"""Write counts with their noun: ``1 frame``, ``12,000 frames``, and figures without a power of ten."""


def three_digits(value: float) -> str:
    """A figure of at least 0 with its first three digits, and with all of its whole part.

    Example:
        >>> three_digits(0.01234), three_digits(9.956), three_digits(2150.4), three_digits(0)
        ('0.0123', '9.96', '2,150', '0')
    """
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


def counted(count: float, noun: str, *, plural: str = "", comma: str = "") -> str:
    """A count and its noun, in the plural where the count is not 1.

    Args:
        count: of the things; a float has no digits that it does not need.
        noun: in the singular.
        plural: of the noun, where that is not the noun and an s.
        comma: between thousands; empty for none.

    Example:
        >>> counted(1, "alarm"), counted(0, "frame"), counted(12000, "frame", comma=","), counted(0.5, "false alarm")
        ('1 alarm', '0 frames', '12,000 frames', '0.5 false alarms')
    """
    digits = f"{count:,}".replace(",", comma) if isinstance(count, int) else f"{count:g}"
    return f"{digits} {noun if count == 1 else plural or f'{noun}s'}"

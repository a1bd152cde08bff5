# SPDX-License-Identifier: Apache-2.0
"""Write counts with their noun: ``1 frame``, ``12,000 frames``."""


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

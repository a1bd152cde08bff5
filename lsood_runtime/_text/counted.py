# SPDX-License-Identifier: Apache-2.0
"""Write counts with their noun: ``1 frame``, ``12,000 frames``."""


def counted(count: int, noun: str, *, comma: str = "") -> str:
    """A count and its noun, in the plural where the count is not 1.

    Args:
        count: of the things.
        noun: in the singular; what follows "of" or "or" and the word behind it are no part of it.
        comma: between thousands; empty for none.

    Example:
        >>> counted(1, "alarm"), counted(0, "frame"), counted(12000, "frame", comma=",")
        ('1 alarm', '0 frames', '12,000 frames')
    """
    digits = f"{count:,}".replace(",", comma)
    return f"{digits} {noun if count == 1 else f'{noun}s'}"
